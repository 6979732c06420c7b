/**
 * Finding, changing and detaching devices.
 *
 * @module
 */
import { type Row, rows } from "./row.ts";

const WHOLE = ["losetup {dev} disk"];
const TWO = ["losetup {dev} disk", "losetup {dev2} other"];
const GROWN = ["losetup {dev} disk", "truncate -s 3M disk"];
const SHRUNK = ["losetup {dev} disk", "truncate -s 512K disk"];

const FIND = rows(["-f", "--find", "-f -L", "-f -b 512", "-f -n", "-f --sizelimit 0"]);

const DETACH: Row[] = [
  ...rows(["-d {dev}", "-d{dev}", "--detach {dev}", "--detach={dev}", "--deta={dev}"], {
    before: WHOLE,
  }),
  ...rows(["-d {dev} {dev2}", "{dev2} -d {dev}", "-d {dev} -- {dev2}"], { before: TWO }),
  ...rows(["-d {dev}"], { before: WHOLE, held: "{dev}" }),
  ...rows(["-d {dev}"], { before: ["losetup {dev} disk", "losetup -d {dev}"] }),
  ...rows(["-d {dev} {dev2}", "-d {dev2} {dev}"], {
    before: ["losetup {dev} disk", "losetup {dev2} disk", "losetup -d {dev}"],
  }),
  ...rows(["-d {dev3}"], {
    before: ["losetup {dev} disk", "losetup {dev2} {dev}", "losetup {dev3} {dev2}"],
  }),
  ...rows(["-d {dev}"], { before: ["losetup {dev} disk", "losetup {dev2} {dev}"] }),
  ...rows(["-d /dev/null", "-d disk", "-d nowhere", "-d /dev/nowhere", "-d {dev}", "-d ''"]),
];

const CAPACITY: Row[] = [
  ...rows(
    ["-c {dev}", "-c{dev}", "--set-capacity {dev}", "--set-capacity={dev}", "-c {dev} extra"],
    { before: GROWN },
  ),
  ...rows(["-c {dev}"], { before: SHRUNK }),
  ...rows(["-c {dev}"], { before: WHOLE }),
  ...rows(["-c {dev}"], {
    before: ["losetup -o 4096 --sizelimit 2M {dev} disk", "truncate -s 3M disk"],
  }),
  ...rows(["-c {dev}"], { before: ["losetup {dev} disk", "truncate -s 1000000 disk"] }),
  ...rows(["-c {dev}"], { before: ["losetup {dev} disk", "losetup -d {dev}"] }),
  ...rows(["-c /dev/null", "-c disk", "-c nowhere", "-c {dev}"]),
];

const DIRECT_IO: Row[] = [
  ...rows([
    "--direct-io {dev}",
    "--direct-io=on {dev}",
    "--direct-io=off {dev}",
    "--direct-io=on -b 4096 {dev}",
    "-l --direct-io=on {dev}",
    "{dev} --direct-io --direct-io=off",
    "--direct-io -r {dev}",
    "--direct-io -o 0 {dev}",
    "--direct-io --show {dev}",
  ], { before: WHOLE }),
  ...rows(["--direct-io=off {dev}", "--direct-io=on {dev}"], {
    before: ["losetup --direct-io {dev} disk"],
  }),
  ...rows(["--direct-io=on {dev}"], { before: ["losetup -o 100 {dev} disk"] }),
  ...rows(["--direct-io=on {dev}"], { before: ["losetup {dev} disk", "losetup -d {dev}"] }),
  ...rows(["--direct-io=on /dev/null", "--direct-io=off nowhere", "--direct-io {dev}"]),
];

const SECTOR_SIZE: Row[] = [
  ...rows([
    "-b 512 {dev}",
    "-b 4096 {dev}",
    "--sector-size 4K {dev}",
    "{dev} -b1024",
    "-b 0 {dev}",
    "-b 256 {dev}",
    "-b 3000 {dev}",
    "-b 1M {dev}",
    "-l -b 2048 {dev}",
    "-b 4096 -o 512 {dev}",
    "-b 4096 -P {dev}",
  ], { before: WHOLE }),
  ...rows(["-b 512 {dev}"], { before: ["losetup -b 4096 {dev} disk"] }),
  ...rows(["-b 4096 {dev}"], { before: ["losetup {dev} disk", "losetup -d {dev}"] }),
  ...rows(["-b 512 /dev/null", "-b 512 nowhere", "-b 512 disk"]),
];

export const CHANGE_ROWS: readonly Row[] = [
  ...FIND,
  ...DETACH,
  ...CAPACITY,
  ...DIRECT_IO,
  ...SECTOR_SIZE,
];
