/* The C interface of a Hatchery plugin library, version 2.
 *
 * A Rust plugin never sees it: `hatchery_plugin::library!` writes these functions. A plugin in any other language defines
 * them itself; plugins/examples/elman-c is one in C, and residual-c beside it has a wrapper.
 *
 * Every function but `close` and `free` returns a status and writes an answer to `*out`. The answer belongs to the
 * library until the host hands it back to `hatchery_plugin_free`, which the host does before its next call in the same
 * thread. A status other than HATCHERY_OK comes with {"message": "…", "hint": "…"}; the hint may be left out. No
 * exception and no panic may leave a function: catch it and return HATCHERY_PANICKED. Calls may come from several
 * threads at once.
 *
 * Requests are JSON. Answers are JSON, or MessagePack with maps of the same keys.
 *
 * Version 2 renamed of version 1: `hatchery_plugin_reshape` to `hatchery_plugin_process`; `hatchery_plugin_params` to
 * `hatchery_plugin_declare`, whose answer has state and width of the output, too; in the manifest `variants` to `plugins`; of a parameter `blocks` to `gates`, and `initializer` is spelled with a z; of a constant `integers` to `ints`,
 * and its booleans are `bools`.
 */
#ifndef HATCHERY_PLUGIN_H
#define HATCHERY_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HATCHERY_INTERFACE 2
#define HATCHERY_BURN_IR "0.22.1"

enum { HATCHERY_OK = 0, HATCHERY_ERROR = 1, HATCHERY_PANICKED = 2 };

/* `data` may be NULL when `length` is 0. */
typedef struct {
    uint8_t *data;
    size_t length;
} hatchery_bytes;

/* What the library offers. Called first; the host uses nothing else before it has checked it.
 *
 *   {"interface": 2, "burn-ir": "0.22.1", "package": "elman-c", "version": "0.1.0",
 *    "plugins": [{"kind": "cell", "name": "elman-c", "doc": "…", "schema": {…}}]}
 *
 * A kind is one of dataset, cell, clipper, sampler. A cell that is built around another, a wrapper, has "is-wrapper": true
 * besides. A schema is the JSON schema of the plugin's keys; `properties` and
 * `required` are what the host reads. A doc with a ```toml example is checked with the example's keys. */
int32_t hatchery_plugin_manifest(hatchery_bytes *out);

/* Gives back an answer's bytes. */
void hatchery_plugin_free(hatchery_bytes bytes);

/* Builds a plugin. Request: {"kind": "cell", "name": "elman-c", "keys": {"hidden": 4}}. `*instance` is a number of the
 * library's choice. Answer: {"keys": {…}} with every default filled in;
 *   of a dataset also "framing": {"stream": {"steps": 100}}
 *                  or "framing": {"windows": {"length": 40, "stride": 3, "predict": "last" or "all"}}
 *                  or "framing": {"documents": {"start": null, "end": "\n", "padding": "\n", "length": null,
 *                                               "count-padding": false}} */
int32_t hatchery_plugin_open(const uint8_t *request, size_t length, uint64_t *instance, hatchery_bytes *out);

/* Drops it. */
void hatchery_plugin_close(uint64_t instance);

/* Cells only: what the cell declares for inputs of a width. Request: {"inputs": 27, "params": true}; where `params` is
 * false, all but `outputs` and `state` may be left out. Answer:
 *   {"outputs": 4,
 *    "params": [{"name": "wx", "shape": [4, 27], "initializer": {"type": "xavier-uniform"}, "gates": 1}],
 *    "state": [{"name": "h", "width": 4, "start": {"constant": 0.0} or {"param": "h0"}}],
 *    "noise": [{"name": "keep", "width": 4, "distribution": {"mask": 0.9} or "normal",
 *               "per": "step" or "sequence" or {"update": {"rows": 4}}}],
 *    "penalties": ["cost"],
 *    "derived": [["wx", [4, 27]], …]}
 *
 * Weights are [outputs, inputs], biases [1, outputs]. `gates` matrices are stacked row by row and each is initialized as a
 * matrix of its own; 1 if it is left out. A state starts at a constant, 0 if it is left out, or at a parameter [1, width].
 * Noise is drawn by the host: masks of 1 with that probability and otherwise 0, or normal values; in evaluation it is the
 * expectation. Penalties are state vectors that are added to what training minimizes. Noise and penalties may be left out.
 * `derived` are the matrices that a step receives in place of the parameters and the noise of an update: with them the
 * library is asked for one more graph, that computes the ones from the others.
 *
 * A wrapper is asked twice. {"inputs": 27, "params": false} is for the input of the cell within: {"cell-inputs": 27}. Then
 * the request has that cell, {"inputs": 27, "params": true, "cell": {"declared": {…}, "output": "h"}}, where `output` is the
 * state vector that the cell puts out, if its output is one; the answer is as above, of the wrapper's own matrices. With
 * `derived` it has "derived-of-cell", too: what becomes of the parameters of the cell within. */
int32_t hatchery_plugin_declare(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out);

/* Cells and clippers: what they compute, as a graph of Burn's operations (crate burn-ir, in serde's form).
 *
 * Request of a cell:    {"of": "cell", "inputs": 27, "batch": 32, "dtype": "F64" or "F32"}
 *   and with `derived`: {"of": "derive", "inputs": 27, "dtype": "F32"}
 *            a wrapper: {"of": "wrapper", "inputs": 27, "batch": 32, "dtype": "F32", "cell": {…}}
 *   and with `derived`: {"of": "derive-wrapper", "inputs": 27, "dtype": "F32", "cell": {…}}
 *            a clipper: {"of": "clipper", "gradients": [["head.by", [1, 27]], …], "dtype": "F32"}
 * Answer: {"graph": {"operations": […], "inputs": [id, …], "outputs": [id, …]},
 *          "inputs": [["x", id], …], "outputs": [["output", id], …], "constants": […]}
 *
 * An id is {"value": 7}. Arguments of a cell: x [batch, inputs]; the derived matrices, or the parameters as declared and the
 * noise of an update, [rows, width]; the other noise, [batch, width]; the state, each [batch, width]. Its results: output
 * [batch, outputs], the next state. Those of a wrapper have the state of the cell within behind them; a step of that cell is
 *   {"Custom": {"id": "cell", "inputs": [x, state, …], "outputs": [output, next state, …], "scalars": []}}
 * and `derive-wrapper` takes and gives the wrapper's own matrices and then those of the cell within. A clipper's arguments and results are the gradients. A constant is {"id": id, "shape": [2], "dtype": "F64", "values": {"floats": [1.0, 2.0]}}, or "ints", or
 * "bools". In an operation a tensor is
 *   {"id": id, "shape": {"dims": [2, 3]}, "status": "ReadOnly", "dtype": "F64"}
 * and operations are written so (the host ignores `status`):
 *   {"Float": ["F64", {"Matmul": {"lhs": tensor, "rhs": tensor, "out": tensor}}]}
 *   {"NumericFloat": ["F64", {"Add": {"lhs": tensor, "rhs": tensor, "out": tensor}}]}
 *   {"BaseFloat": {"SwapDims": {"input": tensor, "out": tensor, "dim1": 0, "dim2": 1}}}
 *   {"Float": ["F64", {"Tanh": {"input": tensor, "out": tensor}}]} */
int32_t hatchery_plugin_capture(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out);

/* Samplers: processes the logits in place. `history` holds the tokens so far, oldest first. The answer is empty. */
int32_t hatchery_plugin_process(uint64_t instance, double *logits, size_t vocabulary, const uint32_t *history,
                                size_t length, hatchery_bytes *out);

/* Datasets: the documents of a text in UTF-8. Answer: {"ranges": [[from, to], …]} in bytes, or {"text": ["…", …]}. */
int32_t hatchery_plugin_documents(uint64_t instance, const uint8_t *name, size_t name_length, const uint8_t *text,
                                  size_t text_length, hatchery_bytes *out);

#ifdef __cplusplus
}
#endif

#endif
