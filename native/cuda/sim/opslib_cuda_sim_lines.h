/* From an address of code to the line of its text: what -g1 -gdwarf-4 leaves in the file
 * of a shared object (section .debug_line; DWARF 4, section 6.2).  Read when there is a
 * finding, and only then. */
#ifndef OPSLIB_CUDA_SIM_LINES_H
#define OPSLIB_CUDA_SIM_LINES_H

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <map>
#include <string>
#include <vector>

namespace opslib_cuda_sim {

struct Reader {
    const uint8_t *at, *end;
    bool has(uint64_t count) const { return uint64_t(end - at) >= count; }
    uint64_t fixed(int size) {
        uint64_t value = 0;
        if (has(uint64_t(size))) memcpy(&value, at, size_t(size));
        at += has(uint64_t(size)) ? size : end - at;
        return value;
    }
    uint64_t leb() {
        uint64_t value = 0;
        for (int shift = 0; at < end; shift += 7) {
            const uint8_t byte = *at++;
            if (shift < 64) value |= uint64_t(byte & 0x7f) << shift;
            if (!(byte & 0x80)) break;
        }
        return value;
    }
    int64_t signed_leb() {
        uint64_t value = 0;
        int shift = 0;
        uint8_t byte = 0;
        while (at < end) {
            byte = *at++;
            if (shift < 64) value |= uint64_t(byte & 0x7f) << shift;
            shift += 7;
            if (!(byte & 0x80)) break;
        }
        if (shift < 64 && (byte & 0x40)) value |= ~uint64_t(0) << shift;
        return int64_t(value);
    }
    const char* text() {
        const char* start = reinterpret_cast<const char*>(at);
        while (at < end && *at) at++;
        if (at == end) return "";
        at++;
        return start;
    }
};

/* Lines by the address at which they begin, relative to the object. */
struct Line {
    std::string file;
    int line;
};
using Lines = std::map<uint64_t, Line>;

/* One line number program of versions 2 to 4. */
inline void run_line_program(Reader unit, Lines& lines) {
    const uint64_t version = unit.fixed(2);
    if (version < 2 || version > 4) return;
    const uint64_t header = unit.fixed(4);
    if (!unit.has(header)) return;
    Reader program{unit.at + header, unit.end};
    const uint64_t unit_bytes = unit.fixed(1);
    if (version >= 4) unit.fixed(1);
    unit.fixed(1);
    const int base = int8_t(unit.fixed(1));
    const int range = int(unit.fixed(1)), first_special = int(unit.fixed(1));
    std::vector<uint8_t> operands(1, 0);
    for (int i = 1; i < first_special; i++) operands.push_back(uint8_t(unit.fixed(1)));
    while (*unit.text()) {
    }
    std::vector<std::string> files(1);
    for (const char* name = unit.text(); *name; name = unit.text()) {
        files.push_back(name);
        for (int i = 0; i < 3; i++) unit.leb();
    }
    if (!range) return;
    uint64_t address = 0, file = 1;
    int64_t line = 1;
    const auto row = [&] {
        lines[address] = {file < files.size() ? files[file] : "", int(line)};
    };
    while (program.at < program.end) {
        const int code = int(program.fixed(1));
        if (code >= first_special) {
            address += uint64_t((code - first_special) / range) * unit_bytes;
            line += base + (code - first_special) % range;
            row();
        } else if (code == 0) {
            const uint64_t length = program.leb();
            if (!length || !program.has(length)) return;
            Reader extended{program.at, program.at + length};
            program.at += length;
            const int what = int(extended.fixed(1));
            if (what == 1) { /* DW_LNE_end_sequence */
                lines[address] = {"", 0};
                address = 0, file = 1, line = 1;
            } else if (what == 2) { /* DW_LNE_set_address */
                address = extended.fixed(int(length - 1));
            } else if (what == 3) { /* DW_LNE_define_file */
                files.push_back(extended.text());
            }
        } else if (code == 1) { /* DW_LNS_copy */
            row();
        } else if (code == 2) { /* DW_LNS_advance_pc */
            address += program.leb() * unit_bytes;
        } else if (code == 3) { /* DW_LNS_advance_line */
            line += program.signed_leb();
        } else if (code == 4) { /* DW_LNS_set_file */
            file = program.leb();
        } else if (code == 8) { /* DW_LNS_const_add_pc */
            address += uint64_t((255 - first_special) / range) * unit_bytes;
        } else if (code == 9) { /* DW_LNS_fixed_advance_pc */
            address += program.fixed(2);
        } else {
            for (int i = 0; i < operands[size_t(code)]; i++) program.leb();
        }
    }
}

inline std::vector<uint8_t> file_bytes(const std::string& path) {
    std::vector<uint8_t> bytes;
    if (FILE* file = fopen(path.c_str(), "rb")) {
        uint8_t buffer[65536];
        for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
            bytes.insert(bytes.end(), buffer, buffer + n);
        fclose(file);
    }
    return bytes;
}

inline Lines read_lines(const std::string& path) {
    Lines lines;
    const std::vector<uint8_t> bytes = file_bytes(path);
    ElfW(Ehdr) head;
    if (bytes.size() < sizeof head) return lines;
    memcpy(&head, bytes.data(), sizeof head);
    const auto section = [&](uint64_t i, ElfW(Shdr) * out) {
        const uint64_t at = head.e_shoff + i * head.e_shentsize;
        if (i >= head.e_shnum || at + sizeof *out > bytes.size()) return false;
        memcpy(out, bytes.data() + at, sizeof *out);
        return out->sh_type == SHT_NOBITS ||
               (out->sh_offset <= bytes.size() &&
                out->sh_size <= bytes.size() - out->sh_offset);
    };
    ElfW(Shdr) names, found;
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) || !section(head.e_shstrndx, &names))
        return lines;
    for (uint64_t i = 0; i < head.e_shnum; i++) {
        if (!section(i, &found) || found.sh_name + 12 > names.sh_size) continue;
        const void* name = bytes.data() + names.sh_offset + found.sh_name;
        if (memcmp(name, ".debug_line", 12) || (found.sh_flags & SHF_COMPRESSED))
            continue;
        const uint8_t* start = bytes.data() + found.sh_offset;
        Reader all{start, start + found.sh_size};
        while (all.has(4)) {
            const uint64_t length = all.fixed(4);
            if (!all.has(length)) break;
            run_line_program({all.at, all.at + length}, lines);
            all.at += length;
        }
    }
    return lines;
}

/* The file that is mapped at an address: its name at the time of loading may have been
 * that of a descriptor. */
inline std::string mapped_file(uintptr_t address) {
    std::string found;
    if (FILE* maps = fopen("/proc/self/maps", "r")) {
        char line[4352];
        while (fgets(line, sizeof line, maps)) {
            unsigned long long start, end;
            int at = 0;
            if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &start, &end, &at) < 2 ||
                address < start || address >= end || !at)
                continue;
            found = line + at;
            while (!found.empty() && found.back() == '\n') found.pop_back();
            break;
        }
        fclose(maps);
    }
    return found;
}

struct LinesOf {
    uint64_t launch;
    std::string path;
    Lines lines;
};

/* `base` is where the object is loaded; another may be there at the next launch. */
inline bool source_line(uintptr_t address, uintptr_t base, uint64_t launch,
                        std::string* file, int* line) {
    static std::map<uintptr_t, LinesOf> known;
    LinesOf& object = known[base];
    if (object.launch != launch) {
        const std::string path = mapped_file(address);
        if (object.path != path) object = {launch, path, read_lines(path)};
        object.launch = launch;
    }
    auto found = object.lines.upper_bound(address - base);
    if (found == object.lines.begin()) return false;
    --found;
    *file = found->second.file;
    *line = found->second.line;
    return true;
}

}  // namespace opslib_cuda_sim

#endif
