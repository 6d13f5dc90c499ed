/* A plugin library that answers with the bytes of files: ANSWERS/open, ANSWERS/declare, … The first byte of each is the
 * status of the call. So the tests decide what a library says. */
#include "hatchery_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t answer(const char *call, hatchery_bytes *out) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", ANSWERS, call);
    FILE *file = fopen(path, "rb");
    if (!file) return 99;
    fseek(file, 0, SEEK_END);
    size_t length = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(length + 1);
    if (!bytes || fread(bytes, 1, length, file) != length || length == 0) abort();
    fclose(file);
    int32_t status = bytes[0];
    memmove(bytes, bytes + 1, length - 1);
    out->data = bytes;
    out->length = length - 1;
    return status;
}

int32_t hatchery_plugin_manifest(hatchery_bytes *out) { return answer("manifest", out); }

void hatchery_plugin_free(hatchery_bytes bytes) { free(bytes.data); }

int32_t hatchery_plugin_open(const uint8_t *request, size_t length, uint64_t *instance, hatchery_bytes *out) {
    (void)request, (void)length;
    *instance = 0;
    return answer("open", out);
}

void hatchery_plugin_close(uint64_t instance) { (void)instance; }

int32_t hatchery_plugin_declare(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    (void)instance, (void)request, (void)length;
    return answer("declare", out);
}

int32_t hatchery_plugin_capture(uint64_t instance, const uint8_t *request, size_t length, hatchery_bytes *out) {
    (void)instance, (void)request, (void)length;
    return answer("capture", out);
}

int32_t hatchery_plugin_process(uint64_t instance, double *logits, size_t vocabulary, const uint32_t *history,
                                size_t tokens, hatchery_bytes *out) {
    (void)instance, (void)logits, (void)vocabulary, (void)history, (void)tokens;
    return answer("process", out);
}

int32_t hatchery_plugin_documents(uint64_t instance, const uint8_t *name, size_t name_length, const uint8_t *text,
                                  size_t length, hatchery_bytes *out) {
    (void)instance, (void)name, (void)name_length, (void)text, (void)length;
    return answer("documents", out);
}
