/* A simple recurrent cell (Elman 1990) in C, its graph written by hand: h' = tanh(x Wxᵀ + h Whᵀ + b).
 *
 * It shows that the boundary is what the header says: no Rust, no Burn, no library but C's own.
 * Build: cc -shared -fPIC -I ../../../framework/plugin/include -o libelman_c.so elman.c */
#define _GNU_SOURCE
#include "hatchery_plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that grows. */
typedef struct {
    char *text;
    size_t length, room;
} writer;

static void put(writer *to, const char *form, ...) {
    va_list values, again;
    va_start(values, form);
    va_copy(again, values);
    size_t more = (size_t)vsnprintf(NULL, 0, form, values);
    if (to->length + more + 1 > to->room) {
        to->room = 2 * (to->length + more + 1);
        to->text = realloc(to->text, to->room);
        if (!to->text) abort();
    }
    vsnprintf(to->text + to->length, more + 1, form, again);
    to->length += more;
    va_end(values);
    va_end(again);
}

static int32_t give(writer from, int32_t status, hatchery_bytes *out) {
    out->data = (uint8_t *)from.text;
    out->length = from.length;
    return status;
}

static int32_t refuse(const char *message, hatchery_bytes *out) {
    writer to = {0};
    put(&to, "{\"message\": \"%s\"}", message);
    return give(to, HATCHERY_ERROR, out);
}

/* The number after "key": in a request. These requests have no strings in which a key could hide. */
static long number(const uint8_t *request, size_t length, const char *key) {
    char text[4096], wanted[64];
    if (length >= sizeof text) return -1;
    memcpy(text, request, length);
    text[length] = 0;
    snprintf(wanted, sizeof wanted, "\"%s\":", key);
    const char *at = strstr(text, wanted);
    return at ? strtol(at + strlen(wanted), NULL, 10) : -1;
}

int32_t hatchery_plugin_manifest(hatchery_bytes *out) {
    writer to = {0};
    put(&to,
        "{\"interface\": %d, \"burn-ir\": \"%s\", \"package\": \"elman-c\", \"version\": \"0.1.0\", \"plugins\": ["
        "{\"kind\": \"cell\", \"name\": \"elman-c\","
        " \"doc\": \"The network of Elman (1990), written in C.\\n\\n```toml\\n[cell]\\ntype = \\\"elman-c\\\"\\nhidden = 8\\n```\","
        " \"schema\": {\"type\": \"object\", \"description\": \"The network of Elman (1990), written in C.\","
        "  \"properties\": {\"hidden\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 100000,"
        "   \"description\": \"Width of the hidden state.\"}},"
        "  \"required\": [\"hidden\"], \"additionalProperties\": false}}]}",
        HATCHERY_INTERFACE, HATCHERY_BURN_IR);
    return give(to, HATCHERY_OK, out);
}

void hatchery_plugin_free(hatchery_bytes bytes) { free(bytes.data); }

/* The instance is the hidden width: there is nothing else to remember. */
int32_t hatchery_plugin_open(const uint8_t *request, size_t length, uint64_t *instance, hatchery_bytes *out) {
    long hidden = number(request, length, "hidden");
    const char *keys = "\"keys\":{\"hidden\":";
    char text[4096];
    if (length >= sizeof text) return refuse("too many keys", out);
    memcpy(text, request, length);
    text[length] = 0;
    if (hidden < 1 || hidden > 100000) return refuse("`hidden` is a number from 1 to 100000", out);
    if (!strstr(text, keys) || strchr(strstr(text, keys), ',')) return refuse("the only key is `hidden`", out);
    *instance = (uint64_t)hidden;
    writer to = {0};
    put(&to, "{\"keys\": {\"hidden\": %ld}}", hidden);
    return give(to, HATCHERY_OK, out);
}

void hatchery_plugin_close(uint64_t instance) { (void)instance; }

int32_t hatchery_plugin_declare(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    unsigned long hidden = (unsigned long)instance;
    long inputs = number(request, length, "inputs");
    if (inputs < 1) return refuse("a declaration needs `inputs`", out);
    writer to = {0};
    put(&to,
        "{\"outputs\": %lu, \"state\": [{\"name\": \"h\", \"width\": %lu}],"
        " \"params\": [{\"name\": \"wx\", \"shape\": [%lu, %ld], \"initializer\": {\"type\": \"xavier-uniform\"}},"
        " {\"name\": \"wh\", \"shape\": [%lu, %lu], \"initializer\": {\"type\": \"orthogonal\"}},"
        " {\"name\": \"b\", \"shape\": [1, %lu], \"initializer\": {\"type\": \"zeros\"}}]}",
        hidden, hidden, hidden, inputs, hidden, hidden, hidden);
    return give(to, HATCHERY_OK, out);
}

/* A matrix of the graph. */
typedef struct {
    int id;
    unsigned long rows, columns;
} matrix;

static _Thread_local const char *kind;

static void tensor(writer *to, const char *name, matrix m) {
    put(to, "\"%s\": {\"id\": {\"value\": %d}, \"shape\": {\"dims\": [%lu, %lu]}, \"status\": \"ReadOnly\", \"dtype\": \"%s\"}", name, m.id,
        m.rows, m.columns, kind);
}

static void binary(writer *to, const char *group, const char *operation, matrix lhs, matrix rhs, matrix made) {
    put(to, "{\"%s\": [\"%s\", {\"%s\": {", group, kind, operation);
    tensor(to, "lhs", lhs);
    put(to, ", ");
    tensor(to, "rhs", rhs);
    put(to, ", ");
    tensor(to, "out", made);
    put(to, "}}]}, ");
}

static void transpose(writer *to, matrix m, matrix made) {
    put(to, "{\"BaseFloat\": {\"SwapDims\": {");
    tensor(to, "input", m);
    put(to, ", ");
    tensor(to, "out", made);
    put(to, ", \"dim1\": 0, \"dim2\": 1}}}, ");
}

int32_t hatchery_plugin_capture(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    long inputs = number(request, length, "inputs"), batch = number(request, length, "batch");
    if (inputs < 1 || batch < 1) return refuse("a capture needs `inputs` and `batch`", out);
    static _Thread_local char dtype[4];
    int wide = length > 3 && memmem(request, length, "\"F64\"", 5) != NULL;
    snprintf(dtype, sizeof dtype, "%s", wide ? "F64" : "F32");
    kind = dtype;
    unsigned long n = (unsigned long)inputs, b = (unsigned long)batch, h = (unsigned long)instance;
    matrix x = {0, b, n}, wx = {1, h, n}, wh = {2, h, h}, bias = {3, 1, h}, before = {4, b, h};
    matrix wxt = {5, n, h}, fed = {6, b, h}, wht = {7, h, h}, recurrent = {8, b, h};
    matrix both = {9, b, h}, sum = {10, b, h}, after = {11, b, h};
    writer to = {0};
    put(&to, "{\"graph\": {\"operations\": [");
    transpose(&to, wx, wxt);
    binary(&to, "Float", "Matmul", x, wxt, fed);
    transpose(&to, wh, wht);
    binary(&to, "Float", "Matmul", before, wht, recurrent);
    binary(&to, "NumericFloat", "Add", fed, recurrent, both);
    binary(&to, "NumericFloat", "Add", both, bias, sum);
    put(&to, "{\"Float\": [\"%s\", {\"Tanh\": {", kind);
    tensor(&to, "input", sum);
    put(&to, ", ");
    tensor(&to, "out", after);
    put(&to, "}}]}], \"inputs\": [{\"value\": 0}, {\"value\": 1}, {\"value\": 2}, {\"value\": 3}, {\"value\": 4}],"
             " \"outputs\": [{\"value\": 11}]},"
             " \"inputs\": [[\"x\", {\"value\": 0}], [\"wx\", {\"value\": 1}], [\"wh\", {\"value\": 2}],"
             " [\"b\", {\"value\": 3}], [\"h\", {\"value\": 4}]],"
             " \"outputs\": [[\"output\", {\"value\": 11}], [\"h\", {\"value\": 11}]]}");
    return give(to, HATCHERY_OK, out);
}
