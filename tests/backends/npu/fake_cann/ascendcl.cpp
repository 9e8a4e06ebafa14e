// A libascendcl for tests: the calls that opslib makes, on a device that is the CPU twin.
//
// What it keeps of the real one, so that the caller cannot get by without it: device
// memory that the host cannot read (a second mapping without any right), a device bound
// to each thread, streams that run later on a thread of their own, errors that show at
// synchronisation, and messages per thread. `fake_acl_fail` makes a call fail.

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kInvalid = 107000, kNoDevice = 107001, kNoContext = 107002;
constexpr int kMemory = 207001, kCore = 507015, kUninitialised = 100001;
constexpr size_t kRoom = size_t{1} << 32;  // bytes of the device, given out once each

std::mutex lock;
std::atomic<bool> initialised{false};
std::map<std::string, std::pair<int, std::string>> planted;
std::map<uintptr_t, size_t> allocations, pinned;
std::atomic<long> launches{0}, waits{0};
uint8_t* device_side = nullptr;  // what callers see: no access
uint8_t* host_side = nullptr;    // the same bytes, for this library
size_t used = 0, limit = kRoom;
thread_local int bound = -1;
thread_local std::string message, shown;

int fail(int code, const std::string& text) {
    message = text;
    return code;
}

int begin(const char* call, bool needs_device = true) {
    std::lock_guard<std::mutex> hold(lock);
    auto found = planted.find(call);
    if (found != planted.end()) {
        auto [code, text] = found->second;
        planted.erase(found);
        return fail(code, text);
    }
    if (!initialised) return fail(kUninitialised, std::string(call) + ": no aclInit");
    if (needs_device && bound < 0) {
        return fail(kNoContext, std::string(call) + ": no device in this thread");
    }
    return 0;
}

// The bytes behind a device address and how many are left in its allocation.
uint8_t* behind(const void* address, size_t* left) {
    auto at = reinterpret_cast<uintptr_t>(address);
    std::lock_guard<std::mutex> hold(lock);
    auto next = allocations.upper_bound(at);
    if (next == allocations.begin()) return nullptr;
    auto [start, size] = *--next;
    if (at >= start + size) return nullptr;
    *left = start + size - at;
    return host_side + (at - reinterpret_cast<uintptr_t>(device_side));
}

struct Stream {
    std::deque<std::function<void()>> work;
    std::mutex guard;
    std::condition_variable changed;
    bool busy = false, closing = false;
    int error = 0;
    std::string text;
    std::thread thread{[this] { run(); }};

    void run() {
        std::unique_lock<std::mutex> hold(guard);
        for (;;) {
            changed.wait(hold, [this] { return closing || !work.empty(); });
            if (work.empty()) return;
            auto next = std::move(work.front());
            work.pop_front();
            busy = true;
            hold.unlock();
            next();
            hold.lock();
            busy = false;
            changed.notify_all();
        }
    }
    void post(std::function<void()> job) {
        std::lock_guard<std::mutex> hold(guard);
        work.push_back(std::move(job));
        changed.notify_all();
    }
    int wait() {
        ++waits;
        std::unique_lock<std::mutex> hold(guard);
        changed.wait(hold, [this] { return work.empty() && !busy; });
        if (!error) return 0;
        int code = error;
        error = 0;
        return fail(code, text);
    }
    void failed(int code, std::string why) {
        std::lock_guard<std::mutex> hold(guard);
        if (error) return;
        error = code;
        text = std::move(why);
    }
};

struct Event {
    std::mutex guard;
    std::condition_variable changed;
    bool done = true;
    std::chrono::steady_clock::time_point at{};
};

using Entry = int (*)(uint32_t, void**, const uint64_t*, char*, uint64_t, uint64_t*,
                      uint32_t);
struct Function {
    Entry entry;
    int parameters;
    std::string name;
};

}  // namespace

extern "C" {

void fake_acl_fail(const char* call, int code, const char* text) {
    std::lock_guard<std::mutex> hold(lock);
    planted[call] = {code, text};
}
void fake_acl_limit(size_t bytes) { limit = bytes; }
size_t fake_acl_live() {
    std::lock_guard<std::mutex> hold(lock);
    return allocations.size();
}
long fake_acl_launches() { return launches; }
// How often the host waited for a stream.
long fake_acl_waits() { return waits; }

// What the fake operator library (opapi.cpp) needs of the device.
uint8_t* fake_acl_behind(const void* address, size_t* left) { return behind(address, left); }
int fake_acl_begin(const char* call) { return begin(call); }
int fake_acl_error(int code, const char* text) { return fail(code, text); }
void fake_acl_post(void* stream, void (*job)(void*), void* argument) {
    ++launches;
    static_cast<Stream*>(stream)->post([job, argument] { job(argument); });
}

int aclInit(const char*) {
    std::lock_guard<std::mutex> hold(lock);
    if (planted.count("aclInit")) {
        auto [code, text] = planted["aclInit"];
        planted.erase("aclInit");
        return fail(code, text);
    }
    if (initialised) return 100002;
    int memory = memfd_create("fake-device", 0);
    if (ftruncate(memory, kRoom)) return kMemory;
    auto map = [&](int rights) {
        return static_cast<uint8_t*>(
            mmap(nullptr, kRoom, rights, MAP_SHARED | MAP_NORESERVE, memory, 0));
    };
    device_side = map(PROT_NONE);
    host_side = map(PROT_READ | PROT_WRITE);
    close(memory);
    initialised = true;
    return 0;
}
const char* aclGetRecentErrMsg() {
    shown.swap(message);
    message.clear();
    return shown.empty() ? nullptr : shown.c_str();
}
int aclrtGetVersion(int32_t* major, int32_t* minor, int32_t* patch) {
    *major = 1, *minor = 17, *patch = 0;
    return 0;
}
const char* aclrtGetSocName() {
    const char* given = getenv("FAKE_ACL_SOC");
    return given ? given : "Ascend910B1";
}
int aclrtGetDeviceCount(uint32_t* count) {
    if (int code = begin("aclrtGetDeviceCount", false)) return code;
    *count = 1;
    return 0;
}
int aclrtGetDeviceInfo(uint32_t device, int attribute, int64_t* value) {
    if (device) return fail(kNoDevice, "device 0 is the only one");
    *value = attribute == 201 ? 48 : attribute == 101 ? 24 : 0;
    return 0;
}
int aclrtSetDevice(int32_t device) {
    if (int code = begin("aclrtSetDevice", false)) return code;
    if (device) return fail(kNoDevice, "device 0 is the only one");
    bound = device;
    return 0;
}

int aclrtMalloc(void** pointer, size_t size, int) {
    if (int code = begin("aclrtMalloc")) return code;
    if (!size) return fail(kInvalid, "aclrtMalloc: size is 0");
    std::lock_guard<std::mutex> hold(lock);
    size_t room = (size + 32 + 511) / 512 * 512;
    if (used + room > limit) return fail(kMemory, "aclrtMalloc: out of device memory");
    memset(host_side + used, 0xA5, size);  // nothing is zero by chance
    *pointer = device_side + used;
    allocations[reinterpret_cast<uintptr_t>(*pointer)] = size;
    used += room;
    return 0;
}
int aclrtFree(void* pointer) {
    if (int code = begin("aclrtFree")) return code;
    std::lock_guard<std::mutex> hold(lock);
    if (!allocations.erase(reinterpret_cast<uintptr_t>(pointer))) {
        return fail(kInvalid, "aclrtFree: not an allocation");
    }
    return 0;
}

int aclrtMallocHost(void** pointer, size_t size) {
    if (int code = begin("aclrtMallocHost")) return code;
    *pointer = malloc(size);
    std::lock_guard<std::mutex> hold(lock);
    pinned[reinterpret_cast<uintptr_t>(*pointer)] = size;
    return 0;
}
static bool is_pinned(const void* address) {
    auto at = reinterpret_cast<uintptr_t>(address);
    std::lock_guard<std::mutex> hold(lock);
    auto next = pinned.upper_bound(at);
    return next != pinned.begin() && at < std::prev(next)->first + std::prev(next)->second;
}

static int copy(void* target, size_t room, const void* source, size_t count, int kind) {
    size_t left = 0;
    if (count > room) return fail(kInvalid, "copy: larger than the target");
    if (kind == 1 || kind == 3) {
        target = behind(target, &left);
        if (!target || left < count) return fail(kInvalid, "copy: bad device target");
    }
    if (kind == 2 || kind == 3) {
        source = behind(source, &left);
        if (!source || left < count) return fail(kInvalid, "copy: bad device source");
    }
    memcpy(target, source, count);
    return 0;
}
int aclrtMemcpy(void* target, size_t room, const void* source, size_t count, int kind) {
    if (int code = begin("aclrtMemcpy")) return code;
    return copy(target, room, source, count, kind);
}
int aclrtMemcpyAsync(void* target, size_t room, const void* source, size_t count,
                     int kind, void* stream) {
    if (int code = begin("aclrtMemcpyAsync")) return code;
    if (kind == 1 && is_pinned(source)) {
        // Read when the stream comes to it, not now.
        auto* queue = static_cast<Stream*>(stream);
        queue->post([=] {
            if (int code = copy(target, room, source, count, kind)) {
                queue->failed(code, "aclrtMemcpyAsync");
            }
        });
        return 0;
    }
    // As documented for host memory that is not pinned: done when it returns.
    if (int code = static_cast<Stream*>(stream)->wait()) return code;
    return copy(target, room, source, count, kind);
}

int aclrtCreateStream(void** stream) {
    if (int code = begin("aclrtCreateStream")) return code;
    *stream = new Stream;
    return 0;
}
int aclrtDestroyStream(void* handle) {
    auto* stream = static_cast<Stream*>(handle);
    int code = stream->wait();
    {
        std::lock_guard<std::mutex> hold(stream->guard);
        stream->closing = true;
        stream->changed.notify_all();
    }
    stream->thread.join();
    delete stream;
    return code;
}
int aclrtSynchronizeStream(void* stream) {
    if (int code = begin("aclrtSynchronizeStream")) return code;
    return static_cast<Stream*>(stream)->wait();
}

int aclrtCreateEvent(void** event) {
    if (int code = begin("aclrtCreateEvent")) return code;
    *event = new Event;
    return 0;
}
int aclrtDestroyEvent(void* event) {
    delete static_cast<Event*>(event);
    return 0;
}
int aclrtRecordEvent(void* handle, void* stream) {
    auto* event = static_cast<Event*>(handle);
    {
        std::lock_guard<std::mutex> hold(event->guard);
        event->done = false;
    }
    static_cast<Stream*>(stream)->post([event] {
        std::lock_guard<std::mutex> hold(event->guard);
        event->done = true;
        event->at = std::chrono::steady_clock::now();
        event->changed.notify_all();
    });
    return 0;
}
static void wait_for(Event* event) {
    std::unique_lock<std::mutex> hold(event->guard);
    event->changed.wait(hold, [event] { return event->done; });
}
int aclrtStreamWaitEvent(void* stream, void* event) {
    static_cast<Stream*>(stream)->post([event] { wait_for(static_cast<Event*>(event)); });
    return 0;
}
int aclrtSynchronizeEvent(void* event) {
    wait_for(static_cast<Event*>(event));
    return 0;
}
int aclrtEventElapsedTime(float* milliseconds, void* start, void* end) {
    auto passed = static_cast<Event*>(end)->at - static_cast<Event*>(start)->at;
    *milliseconds = std::chrono::duration<float, std::milli>(passed).count();
    return 0;
}

struct Option {
    int type;
    uint32_t value[4];
};
struct Options {
    Option* options;
    size_t count;
};
int aclrtBinaryLoadFromData(const void* data, size_t length, const Options* options,
                            void** binary) {
    if (int code = begin("aclrtBinaryLoadFromData")) return code;
    bool known = false;
    for (size_t k = 0; options && k < options->count; ++k) {
        const Option& o = options->options[k];
        known |= o.type == 2 && (o.value[0] == 0x43554245u || o.value[0] == 0x41415246u ||
                                 o.value[0] == 0x41494343u);
    }
    if (!known) return fail(kInvalid, "the magic number of the binary is missing");
    int file = memfd_create("fake-binary", 0);
    if (write(file, data, length) != static_cast<ssize_t>(length)) return kMemory;
    std::string path = "/proc/self/fd/" + std::to_string(file);
    *binary = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    const char* why = *binary ? "" : dlerror();
    // The file stays open: dlopen takes a path seen before for the same library.
    return *binary ? 0 : fail(kInvalid, std::string("not a binary of this chip: ") + why);
}
int aclrtBinaryUnLoad(void* binary) {
    dlclose(binary);
    return 0;
}
int aclrtBinaryGetFunction(void* binary, const char* name, void** function) {
    if (int code = begin("aclrtBinaryGetFunction")) return code;
    auto entry = dlsym(binary, (std::string(name) + "_twin").c_str());
    auto count = dlsym(binary, (std::string(name) + "_parameters").c_str());
    if (!entry || !count) return fail(kInvalid, std::string("no kernel ") + name);
    *function = new Function{reinterpret_cast<Entry>(entry), *static_cast<int*>(count),
                             name};
    return 0;
}
int aclrtLaunchKernelWithArgsArray(void* handle, uint32_t blocks, void* stream, void*,
                                   void** arguments) {
    if (int code = begin("aclrtLaunchKernelWithArgsArray")) return code;
    if (!blocks) return fail(kInvalid, "numBlocks is 0");
    auto* function = static_cast<Function*>(handle);
    // The values are taken now: the caller may reuse its array.
    std::vector<void*> given;
    for (int k = 0; k < function->parameters; ++k) {
        given.push_back(*static_cast<void**>(arguments[k]));
    }
    auto* queue = static_cast<Stream*>(stream);
    queue->post([function, blocks, given, queue] {
        std::vector<void*> pointers;
        std::vector<uint64_t> sizes;
        for (void* address : given) {
            size_t left = 0;
            pointers.push_back(behind(address, &left));
            if (!pointers.back()) {
                queue->failed(kCore, function->name + ": address outside the device");
                return;
            }
            sizes.push_back(left);
        }
        std::vector<char> report(1 << 16);
        uint64_t counters[64] = {};
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        int findings = function->entry(blocks, pointers.data(), sizes.data(),
                                       report.data(), report.size(), counters, 64);
        ++launches;
        if (findings) queue->failed(kCore, function->name + ": " + report.data());
    });
    return 0;
}

}  // extern "C"
