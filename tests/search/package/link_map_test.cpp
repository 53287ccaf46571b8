#include "search/package/link_map.h"

#include <gtest/gtest.h>

namespace patchnas {
namespace {

// What GNU ld writes, shortened.
constexpr const char* kMap = R"(Archive member included to satisfy reference by file (symbol)

/usr/lib/libc.a(libc_a-memcpy.o)
                              vww.o (memcpy)
/usr/lib/libgcc.a(_aeabi_uldivmod.o)
                              board.o (__aeabi_uldivmod)
/usr/lib/libc.a(helper.o)     /usr/lib/libc.a(libc_a-memcpy.o) (helper)

Discarded input sections

 .text          0x00000000        0x8 vww.o

Linker script and memory map

.text           0x00000000      0x200
 .vectors       0x00000000       0x40 board.o
 .text.vww_invoke
                0x00000040       0x60 vww.o
 *fill*         0x000000a0        0x4 
 .text          0x000000a4       0x10 /usr/lib/libc.a(libc_a-memcpy.o)
 .text.helper   0x000000b4        0x4 /usr/lib/libc.a(helper.o)
 .text          0x000000b8       0x20 /usr/lib/libgcc.a(_aeabi_uldivmod.o)

.rodata         0x00000200       0x30
 .rodata.stem_values
                0x00000200       0x30 vww_weights.o

.data           0x20000000        0x8
 .data.state    0x20000000        0x8 vww.o

.bss            0x20000008      0x110
 .bss.package_arena
                0x20000008      0x100 main.o
 .bss.counter   0x20000108        0x8 vww.o
 COMMON         0x20000110        0x2 vww.o
 .debug_info    0x00000000      0x999 vww.o
)";

TEST(LinkMap, SumsWhatOnePartOfAProgramContributes) {
  const LinkedBytes bytes = linked_bytes(kMap, {"vww.o", "vww_weights.o"});
  EXPECT_EQ(bytes,
            (LinkedBytes{
                .code = 0x60 + 0x10 + 0x4, .constants = 0x30, .data = 0x8, .zeroed = 0x8 + 0x2}));
  EXPECT_EQ(bytes.flash(), 0x60 + 0x10 + 0x4 + 0x30 + 0x8);
  EXPECT_EQ(bytes.sram(), 0x8 + 0x8 + 0x2);
}

TEST(LinkMap, LeavesOutWhatOthersNeed) {
  EXPECT_EQ(linked_bytes(kMap, {"main.o"}), (LinkedBytes{.zeroed = 0x100}));
  EXPECT_EQ(linked_bytes(kMap, {"absent.o"}), LinkedBytes{});
  EXPECT_EQ(linked_bytes("", {"vww.o"}), LinkedBytes{});
}

TEST(LinkMap, FindsOneSection) {
  EXPECT_EQ(section_bytes(kMap, ".bss.package_arena"), 0x100);
  EXPECT_EQ(section_bytes(kMap, ".bss.nothing"), 0);
}

}  // namespace
}  // namespace patchnas
