/*
 * graph: the policy as a picture in words: where traffic enters, the rules in order, the marks and
 * ip rules that stand for the ways, tables and listeners, and their links.
 *
 * In goes a finished ir, out comes text for Graphviz or Mermaid. The same ir gives the same bytes,
 * and nothing that a policy holds becomes syntax of either, nor of the SVG or HTML made of them.
 */
#ifndef TPC_EMIT_GRAPH_H
#define TPC_EMIT_GRAPH_H

struct buf;
struct emit_job;

/* For Graphviz' `dot` (graph_dot.c). */
void graph_put_dot(const struct emit_job *job, struct buf *out);
/* A flowchart for Mermaid (graph_mermaid.c). */
void graph_put_mermaid(const struct emit_job *job, struct buf *out);

#endif
