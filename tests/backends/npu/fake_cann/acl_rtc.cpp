// A libacl_rtc for tests: it "compiles" Ascend C with g++ against the CPU twin.
//
// FAKE_CANN_INCLUDE is where the twin's kernel_operator.h lies. The result is a shared
// object with, for each kernel, NAME_twin and NAME_parameters.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <unistd.h>

struct Program {
    std::string source, log, binary;
};

static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

extern "C" {

int aclrtcCreateProg(Program** program, const char* source, const char*, int headers,
                     const char**, const char**) {
    if (headers) return 545000;
    *program = new Program{source, "", ""};
    return 0;
}

int aclrtcCompileProg(Program* program, int count, const char** options) {
    bool architecture = false;
    std::string target = "2201";
    for (int k = 0; k < count; ++k) {
        const char* form = "--npu-arch=dav-";
        if (strncmp(options[k], form, strlen(form)) == 0) {
            architecture = true;
            target = options[k] + strlen(form);
        }
    }
    if (!architecture) {
        program->log = "error: --npu-arch is missing";
        return 545001;
    }
    char folder[] = "/tmp/fake-rtc-XXXXXX";
    if (!mkdtemp(folder)) return 545002;
    std::string base = folder;
    std::ostringstream text;
    text << program->source << "\n#include \"opslib_twin_entry.h\"\n";
    // Kernels are the functions marked __global__; their parameters are all pointers.
    std::regex form(R"(__global__[^(;{]*?(\w+)\s*\(([^)]*)\))");
    auto& s = program->source;
    for (std::sregex_iterator k(s.begin(), s.end(), form), end; k != end; ++k) {
        std::string name = (*k)[1], parameters = (*k)[2];
        int n = 0;
        for (char c : parameters) n += c == '*';
        text << "OPSLIB_TWIN_ENTRY(" << name << ", " << n << ")\n"
             << "extern \"C\" { int " << name << "_parameters = " << n << "; }\n";
    }
    std::ofstream(base + "/kernel.cpp") << text.str();
    const char* include = getenv("FAKE_CANN_INCLUDE");
    std::string command = std::string("g++ -std=c++17 -O1 -shared -fPIC -w") +
                          " -DOPSLIB_TARGET=" + target + " -I " +
                          (include ? include : ".") + " -I " + (include ? include : ".") +
                          "/.. -o " + base + "/kernel.so " + base + "/kernel.cpp 2> " +
                          base + "/log";
    int status = system(command.c_str());
    program->log = read(base + "/log");
    program->binary = read(base + "/kernel.so");
    system(("rm -rf " + base).c_str());
    return status ? 545003 : 0;
}

int aclrtcGetBinDataSize(Program* program, size_t* size) {
    *size = program->binary.size();
    return 0;
}
int aclrtcGetBinData(Program* program, char* data) {
    memcpy(data, program->binary.data(), program->binary.size());
    return 0;
}
int aclrtcGetCompileLogSize(Program* program, size_t* size) {
    *size = program->log.size() + 1;
    return 0;
}
int aclrtcGetCompileLog(Program* program, char* log) {
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return 0;
}
int aclrtcDestroyProg(Program** program) {
    delete *program;
    *program = nullptr;
    return 0;
}

}  // extern "C"
