// Names that a package cannot have: NAME.h must not be found where another header is meant, nor
// libNAME.a where another library is.

#include <algorithm>
#include <iterator>
#include <string_view>

#include "deploy/package/c_names.h"

namespace patchnas {
namespace {

using Names = std::string_view;

// The headers of C (C23), of POSIX, and what else newlib, glibc and GCC have at their top level.
constexpr Names kHeaders[] = {
    "acc_prof",  "aliases",     "backtrace",    "cet",          "mm3dnow",     "quadmath_weak",
    "stdio_ext", "aio",         "alloca",       "ar",           "argp",        "argz",
    "assert",    "byteswap",    "complex",      "cpio",         "cpuid",       "crypt",
    "ctype",     "devctl",      "dirent",       "dlfcn",        "elf",         "endian",
    "envlock",   "envz",        "err",          "errno",        "error",       "execinfo",
    "fastmath",  "fcntl",       "features",     "fenv",         "float",       "fmtmsg",
    "fnmatch",   "fpu_control", "fstab",        "fts",          "ftw",         "gconv",
    "gcov",      "getopt",      "glob",         "gnu_versions", "grp",         "gshadow",
    "iconv",     "ieeefp",      "ifaddrs",      "inttypes",     "iso646",      "langinfo",
    "lastlog",   "libgen",      "libintl",      "libio",        "limits",      "link",
    "locale",    "malloc",      "math",         "mcheck",       "memory",      "mm_malloc",
    "mntent",    "monetary",    "mqueue",       "ndbm",         "netdb",       "newlib",
    "nl_types",  "nss",         "obstack",      "omp",          "openacc",     "paths",
    "poll",      "printf",      "proc_service", "process",      "pthread",     "pty",
    "pwd",       "quadmath",    "re_comp",      "reent",        "regdef",      "regex",
    "regexp",    "resolv",      "sched",        "search",       "semaphore",   "setjmp",
    "sgtty",     "shadow",      "signal",       "spawn",        "stab",        "stdalign",
    "stdarg",    "stdatomic",   "stdbit",       "stdbool",      "stdckdint",   "stddef",
    "stdfix",    "stdint",      "stdio",        "stdlib",       "stdnoreturn", "string",
    "strings",   "stropts",     "syscall",      "sysexits",     "syslimits",   "syslog",
    "tar",       "termio",      "termios",      "tgmath",       "thread_db",   "threads",
    "time",      "trace",       "ttyent",       "uchar",        "ucontext",    "ulimit",
    "unctrl",    "unistd",      "unwind",       "utime",        "utmp",        "utmpx",
    "values",    "varargs",     "wait",         "wchar",        "wctype",      "wordexp",
    "xlocale"};

// libNAME.a of toolchains, and what CMake reserves for targets.
constexpr Names kLibrariesAndTargets[] = {"all",
                                          "atomic",
                                          "c",
                                          "clean",
                                          "depend",
                                          "dl",
                                          "edit_cache",
                                          "g",
                                          "gcc",
                                          "gomp",
                                          "help",
                                          "install",
                                          "m",
                                          "nosys",
                                          "package",
                                          "package_source",
                                          "preinstall",
                                          "rdimon",
                                          "rebuild_cache",
                                          "rt",
                                          "supc",
                                          "test",
                                          "util"};

// Files that firmware has beside a package: a program's, Arduino's, those of runtime/boards/.
constexpr Names kFirmware[] = {"arduino", "board", "main", "patchnas"};

template <typename Range>
bool holds(const Range& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

bool is_taken_name(std::string_view name) {
  return holds(kHeaders, name) || holds(kLibrariesAndTargets, name) || holds(kFirmware, name) ||
         name.starts_with("patchnas_") || name.starts_with("arm_") || name.ends_with("intrin");
}

}  // namespace patchnas
