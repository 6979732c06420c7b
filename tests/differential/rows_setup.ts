/**
 * Setting devices up: files, block devices, every option, wrong files and wrong devices.
 *
 * @module
 */
import { type Row, rows } from "./row.ts";

const PLAIN = rows([
  "{dev} disk",
  "{name} disk",
  "--show {dev} disk",
  "{dev} ./disk",
  "{dev} {dir}/disk",
  "{dev} link",
  "{dev} hard",
  "{dev} folder/../disk",
  "{dev} disk extra words",
  "-l {dev} disk",
  "-J {dev} disk",
  "-n {dev} disk",
  "-O NAME {dev} disk",
  "-O FOO {dev} disk",
  "-- {dev} disk",
  "{dev} -r -- disk",
  "-f disk",
  "-f --show disk",
  "--find --show disk",
  "--show -f link",
  "disk -f --show",
  "-rf --show disk",
  "-fP --show disk",
  "--fin --sho disk",
]);

const OPTIONS = rows([
  "-r {dev} disk",
  "--read-only {dev} disk",
  "-o 512 {dev} disk",
  "-o512 {dev} disk",
  "--offset 4K {dev} disk",
  "--offset=4KiB -f --show disk",
  "--offset 1KB {dev} disk",
  "-o 0x200 {dev} disk",
  "-o 100 {dev} disk",
  "-o 512 -o 1024 {dev} disk",
  "-o 1M {dev} disk",
  "-o 2M {dev} disk",
  "-o 1048576 -r {dev} odd",
  "-o 4608 {dev} odd",
  "-o 4999 {dev} odd",
  "-o 5001 {dev} odd",
  "--sizelimit 4096 {dev} disk",
  "--sizelimit=1000 {dev} disk",
  "--sizelimit 100 {dev} disk",
  "--sizelimit 0 {dev} disk",
  "--sizelimit 2M {dev} disk",
  "--sizelimit 512 {dev} tiny",
  "--sizelimit 600 {dev} odd",
  "-o 512 --sizelimit 512 {dev} disk",
  "-o 1M --sizelimit 512 {dev} disk",
  "-o 1K --sizelimit 1M -f --show disk",
  "-b 0 {dev} disk",
  "-b 512 {dev} disk",
  "-b 1024 {dev} disk",
  "-b 2048 {dev} disk",
  "-b 4096 {dev} disk",
  "-b4K -f --show disk",
  "--sector-size 4096 {dev} odd",
  "--sector-size 4096 -o 512 {dev} disk",
  "-b 8192 {dev} disk",
  "-b 64K {dev} disk",
  "-b 128K {dev} disk",
  "-b 1 {dev} disk",
  "-b 256 {dev} disk",
  "-b 3000 {dev} disk",
  "-b 256 -f disk",
  "-P {dev} parts",
  "-P -f --show parts",
  "--partscan -r {dev} parts",
  "-P -o 32768 {dev} parts",
  "-P -b 4096 {dev} parts",
  "-P {dev} disk",
  "--direct-io {dev} disk",
  "--direct-io=on {dev} disk",
  "--direct-io=off {dev} disk",
  "--direct-io=off --direct-io {dev} disk",
  "--direct-io --direct-io=off {dev} disk",
  "--direct-io -o 512 {dev} disk",
  "--direct-io -o 100 {dev} disk",
  "--direct-io -b 4096 {dev} disk",
  "--direct-io -b 512 -r -f --show disk",
  "--direct-io {dev} tiny",
  "--direct {dev} disk",
]);

const SIZES = rows([
  "{dev} odd",
  "{dev} tiny",
  "{dev} empty",
  "{dev} sector",
  "-f --show odd",
  "-f empty",
]);

const BLOCK_DEVICES = rows([
  "{dev} {blk}",
  "-f --show {blk}",
  "-r {dev} {blk}",
  "-o 512 {dev} {blk}",
  "-o 2M {dev} {blk}",
  "--sizelimit 1000 {dev} {blk}",
  "--sizelimit 100 {dev} {blk}",
  "-b 4096 {dev} {blk}",
  "-P {dev} {blk}",
  "--direct-io {dev} {blk}",
  "--direct-io -b 512 {dev} {blk}",
  "-L -f --show {blk}",
  "{blk} {blk}",
  "{blk} disk",
  "-r {dev} block",
]);

const WRONG_FILES = rows([
  "{dev} nowhere",
  "-f nowhere",
  "-r -f nowhere",
  "{dev} dangling",
  "-f --show dangling",
  "{dev} folder",
  "-f folder",
  "-r -f folder",
  "-f disk/",
  "{dev} /dev/null",
  "-f /dev/zero",
  "{dev} fifo",
  "-f nowhere/disk",
  "-L -f nowhere",
  "--direct-io -f /proc/version",
  "-f /proc/version",
  "-r {dev} /proc/version",
]);

const WRONG_DEVICES = rows([
  "/dev/nowhere disk",
  "/dev/loop00 disk",
  "nowhere disk",
  "nowhere/loop0 disk",
  "/dev/loop disk",
  "/dev/loopx disk",
  "/dev/null disk",
  "{dir}/other disk",
  "{dir}/folder disk",
  "/dev/nowhere nowhere",
  "/dev/null nowhere",
  "-L /dev/nowhere disk",
]);

const TAKEN = rows(
  ["{dev} disk", "{dev} other", "-r {dev} disk", "{dev} nowhere", "{dev2} disk", "-f --show disk"],
  { before: ["losetup {dev} disk"] },
);

const WHOLE = ["losetup {dev} disk"];
const READ_ONLY = ["losetup -r {dev} disk"];
const MIDDLE = ["losetup -o 4096 --sizelimit 4096 {dev} disk"];

const NO_OVERLAP: Row[] = [
  ...rows(["-L -f --show disk", "--nooverlap {dev} disk", "-Lf --show -r disk"]),
  ...rows([
    "-L -f --show disk",
    "-L -f disk",
    "-L -f --show link",
    "-L -f --show hard",
    "-L -f --show other",
    "-L -f --show -r disk",
    "-L -f --show -P -b 4096 disk",
    "-L -f --show -o 512 disk",
    "-L -f --show --sizelimit 512 disk",
    "-L {dev2} disk",
    "-L {dev} disk",
    "-L {dev} other",
    "-L {dev2} other",
    "-L -o 512 {dev2} disk",
  ], { before: WHOLE }),
  ...rows(["-L -f --show disk", "-L -f --show -r disk", "-L -f -r -o 512 disk"], {
    before: READ_ONLY,
  }),
  ...rows([
    "-L -f --show disk",
    "-L -f --show --sizelimit 4096 disk",
    "-L -f --show -o 4096 disk",
    "-L -f --show -o 8192 disk",
    "-L -f --show -o 8191 disk",
    "-L -f --show --sizelimit 4097 disk",
    "-L -f --show -o 4096 --sizelimit 4096 disk",
    "-L {dev2} -o 4096 --sizelimit 4096 disk",
    "-L {dev2} -o 8192 disk",
    "-f --show -o 4096 disk",
  ], { before: MIDDLE }),
  ...rows(["-L -f --show odd"], { before: ["losetup {dev} odd"] }),
  ...rows(["-L -f --show disk"], { before: WHOLE, held: "{dev}" }),
];

export const SETUP_ROWS: readonly Row[] = [...PLAIN, ...OPTIONS, ...SIZES, ...BLOCK_DEVICES];

export const REFUSAL_ROWS: readonly Row[] = [
  ...WRONG_FILES,
  ...WRONG_DEVICES,
  ...TAKEN,
  ...NO_OVERLAP,
];
