/* A wrapper in C, its graph written by hand: the input is added to the output of the cell within, y + x (He et al. 2016).
 *
 * The step of the cell within is one operation of the graph, which the host fills in.
 * Build: cc -shared -fPIC -I ../../../framework/plugin/include -o libresidual_c.so residual.c */
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

/* The number after a key, from a place in a request on. */
static unsigned long number(const char *text, const char *key) {
    const char *at = text ? strstr(text, key) : NULL;
    return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

int32_t hatchery_plugin_manifest(hatchery_bytes *out) {
    writer to = {0};
    put(&to,
        "{\"interface\": %d, \"burn-ir\": \"%s\", \"package\": \"residual-c\", \"version\": \"0.1.0\", \"plugins\": ["
        "{\"kind\": \"cell\", \"name\": \"residual-c\", \"is-wrapper\": true,"
        " \"doc\": \"Adds its input to the output of the cell within.\\n\\n```toml\\n[cell]\\ntype = \\\"gru\\\"\\nhidden = 8\\n"
        "wrap = [\\\"residual-c\\\"]\\n\\n[model]\\nembedding = 8\\n```\","
        " \"schema\": {\"type\": \"object\", \"description\": \"Adds its input to the output of the cell within.\","
        "  \"properties\": {}, \"additionalProperties\": false}}]}",
        HATCHERY_INTERFACE, HATCHERY_BURN_IR);
    return give(to, HATCHERY_OK, out);
}

void hatchery_plugin_free(hatchery_bytes bytes) { free(bytes.data); }

int32_t hatchery_plugin_open(const uint8_t *request, size_t length, uint64_t *instance, hatchery_bytes *out) {
    writer to = {0};
    if (!memmem(request, length, "\"keys\":{}", 9)) {
        put(&to, "{\"message\": \"it has no keys\"}");
        return give(to, HATCHERY_ERROR, out);
    }
    *instance = 0;
    put(&to, "{\"keys\": {}}");
    return give(to, HATCHERY_OK, out);
}

void hatchery_plugin_close(uint64_t instance) { (void)instance; }

int32_t hatchery_plugin_declare(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    (void)instance;
    char *text = strndup((const char *)request, length);
    if (!text) abort();
    unsigned long inputs = number(text, "\"inputs\":"), outputs = number(strstr(text, "\"declared\":"), "\"outputs\":");
    int is_of_cell = strstr(text, "\"cell\":") != NULL;
    free(text);
    writer to = {0};
    if (!is_of_cell) {
        put(&to, "{\"cell-inputs\": %lu}", inputs);
        return give(to, HATCHERY_OK, out);
    }
    if (inputs != outputs) {
        put(&to, "{\"message\": \"an input of width %lu cannot be added to an output of width %lu\", \"hint\": \"make both equal\"}", inputs, outputs);
        return give(to, HATCHERY_ERROR, out);
    }
    put(&to, "{\"outputs\": %lu}", outputs);
    return give(to, HATCHERY_OK, out);
}

static void tensor(writer *to, int id, unsigned long rows, unsigned long columns, const char *dtype) {
    put(to, "{\"id\": {\"value\": %d}, \"shape\": {\"dims\": [%lu, %lu]}, \"status\": \"ReadOnly\", \"dtype\": \"%s\"}", id, rows, columns, dtype);
}

/* A vector of the state of the cell within: its name in the request, and its width. */
typedef struct {
    const char *name;
    int length;
    unsigned long width;
} vector;

/* Those of the request, from `"state":[` to the bracket that closes the list. */
static int vectors(const char *text, vector *found, int most) {
    const char *list = strstr(text, "\"state\":["), *end = list;
    for (int depth = 0; end && *end; end++) {
        depth += (*end == '[') - (*end == ']');
        if (*end == ']' && depth == 0) break;
    }
    int count = 0;
    for (const char *at = list; at && (at = strstr(at, "\"name\":\"")) && at < end && count < most; count++) {
        found[count].name = at += 8;
        found[count].length = (int)strcspn(at, "\"");
        found[count].width = number(at, "\"width\":");
    }
    return count;
}

/* `[["x", id], ["h", id], …]`: x or the output, and the vectors with the ids from `first` on. */
static void named(writer *to, const char *own, int id, const vector *of_cell, int count, int first) {
    put(to, "[[\"%s\", {\"value\": %d}]", own, id);
    for (int at = 0; at < count; at++) put(to, ", [\"%.*s\", {\"value\": %d}]", of_cell[at].length, of_cell[at].name, first + at);
    put(to, "]");
}

static void ids(writer *to, int own, int count, int first) {
    put(to, "[{\"value\": %d}", own);
    for (int at = 0; at < count; at++) put(to, ", {\"value\": %d}", first + at);
    put(to, "]");
}

int32_t hatchery_plugin_capture(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    (void)instance;
    char *text = strndup((const char *)request, length);
    if (!text) abort();
    unsigned long width = number(text, "\"inputs\":"), batch = number(text, "\"batch\":");
    const char *dtype = strstr(text, "\"dtype\":\"F64\"") ? "F64" : "F32";
    vector state[64];
    int count = vectors(text, state, 64);
    /* x and the state are 0 to count; what the cell within makes of them, count + 1 to 2 count + 1; the sum is last. */
    int made = count + 1, sum = 2 * count + 2;
    writer to = {0};
    put(&to, "{\"graph\": {\"operations\": [{\"Custom\": {\"id\": \"cell\", \"inputs\": [");
    tensor(&to, 0, batch, width, dtype);
    for (int at = 0; at < count; at++) put(&to, ", "), tensor(&to, 1 + at, batch, state[at].width, dtype);
    put(&to, "], \"outputs\": [");
    tensor(&to, made, batch, width, dtype);
    for (int at = 0; at < count; at++) put(&to, ", "), tensor(&to, made + 1 + at, batch, state[at].width, dtype);
    put(&to, "], \"scalars\": []}}, {\"NumericFloat\": [\"%s\", {\"Add\": {\"lhs\": ", dtype);
    tensor(&to, made, batch, width, dtype);
    put(&to, ", \"rhs\": ");
    tensor(&to, 0, batch, width, dtype);
    put(&to, ", \"out\": ");
    tensor(&to, sum, batch, width, dtype);
    put(&to, "}}]}], \"inputs\": ");
    ids(&to, 0, count, 1);
    put(&to, ", \"outputs\": ");
    ids(&to, sum, count, made + 1);
    put(&to, "}, \"inputs\": ");
    named(&to, "x", 0, state, count, 1);
    put(&to, ", \"outputs\": ");
    named(&to, "output", sum, state, count, made + 1);
    put(&to, "}");
    free(text);
    return give(to, HATCHERY_OK, out);
}
