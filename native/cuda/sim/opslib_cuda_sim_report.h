/* Findings as JSON lines. */
#ifndef OPSLIB_CUDA_SIM_REPORT_H
#define OPSLIB_CUDA_SIM_REPORT_H

#include <stdarg.h>

#include "opslib_cuda_sim_lines.h"
#include "opslib_cuda_sim_state.h"

namespace opslib_cuda_sim {

/* Different findings that are told; all are counted. */
constexpr size_t kMostTold = 64;

inline std::string format(const char* text, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(buffer, sizeof buffer, text, arguments);
    va_end(arguments);
    return buffer;
}

inline std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (uint8_t(c) < 0x20)
            out += format("\\u%04x", c);
        else
            out += c;
    }
    return out + "\"";
}

inline void append_line(const std::string& text) {
    if (!g.report || g.report_used + text.size() + 2 > g.report_bytes) return;
    memcpy(g.report + g.report_used, text.data(), text.size());
    g.report_used += text.size();
    g.report[g.report_used++] = '\n';
    g.report[g.report_used] = 0;
}

inline Place place_of(Site site) {
    const auto key = std::make_pair(site.file, site.line);
    const auto found = g.site_numbers.find(key);
    if (found != g.site_numbers.end()) return kIsSite | found->second;
    const uint32_t number = uint32_t(g.sites.size());
    g.sites.push_back(site);
    g.site_numbers.emplace(key, number);
    return kIsSite | number;
}
/* The instruction before a return address, which may be of the next line. */
inline Place place_of(void* address) {
    return Place(reinterpret_cast<uintptr_t>(address) - g.code - 1) & ~kIsSite;
}

struct Where {
    std::string file;
    int line;
};
inline Where where_is(Place place) {
    if (place & kIsSite) {
        const Site& site = g.sites[place & ~kIsSite];
        return {site.file ? site.file : "", site.line};
    }
    Where found = {"", 0};
    source_line(g.code + place, g.code, g.launches, &found.file, &found.line);
    return found;
}
inline std::string base_name(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}
inline std::string shown(const Where& where) {
    return format("%s:%d", base_name(where.file).c_str(), where.line);
}
inline std::string json_of(const Where& where) {
    return "\"file\": " + quoted(base_name(where.file)) +
           format(", \"line\": %d", where.line);
}
inline std::string block_name() {
    return format("[%u, %u, %u]", g.block_at.x, g.block_at.y, g.block_at.z);
}
inline std::string thread_name(uint32_t id) {
    if (id >= kMaxThreads) return "an asynchronous copy or product";
    const uint3& at = g.thread[id].index;
    if (g.block.y == 1 && g.block.z == 1) return format("thread %u", at.x);
    return format("thread (%u, %u, %u)", at.x, at.y, at.z);
}

/* Whether one like this has been told, which is then only counted: texts take time. */
inline bool told(const char* kind, Place place, Place other) {
    if (g.told.insert(std::make_tuple(kind, place, other)).second) return false;
    g.findings++;
    return true;
}

/* One finding; `extra` is JSON members that start with a comma, or nothing.  True for
 * the first of its kind at these places. */
inline bool finding(const char* kind, Place place, Place other, uint32_t actor,
                    const std::string& text, const std::string& extra = "") {
    g.findings++;
    const Where where = where_is(place);
    std::string key = format("%s|%s:%d|", kind, where.file.c_str(), where.line);
    if (other) {
        const Where second = where_is(other);
        key += format("%s:%d", second.file.c_str(), second.line);
    }
    for (const std::string& each : g.seen)
        if (each == key) return false;
    if (g.seen.size() == kMostTold) return false;
    g.seen.push_back(key);
    std::string line = format("{\"kind\": \"%s\", \"kernel\": ", kind) +
                       quoted(g.kernel) + ", \"block\": " + block_name();
    if (actor < kMaxThreads) line += format(", \"thread\": %u", actor);
    line += ", " + json_of(where) + extra + ", \"text\": ";
    line += quoted(text + " (" + shown(where) + ", " + thread_name(actor) +
                   ", block " + block_name() + ")");
    append_line(line + "}");
    return true;
}

}  // namespace opslib_cuda_sim

#endif
