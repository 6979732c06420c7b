/**
 * Listing one device, or those of a file. (What lists all devices is in tests/device/loop/listing_test.ts:
 * other people's come and go.)
 *
 * @module
 */
import { type Row, rows } from "./row.ts";

const WHOLE = ["losetup {dev} disk"];
const WINDOW = ["losetup -r -o 4096 --sizelimit 65536 {dev} disk"];
const SHARED = ["losetup {dev} disk", "losetup -o 512 {dev2} disk", "losetup {dev3} other"];
const UNUSED = ["losetup {dev} disk", "losetup -d {dev}"];
const GONE = ["cp disk gone", "losetup {dev} gone", "rm gone"];
const STACKED = ["losetup {dev} disk", "losetup {dev2} {dev}"];
const COLUMNS = "NAME,AUTOCLEAR,BACK-FILE,BACK-INO,BACK-MAJ:MIN,MAJ:MIN,OFFSET,PARTSCAN,RO," +
  "SIZELIMIT,DIO,LOG-SEC";

const FORMS = [
  "{dev}",
  "-l {dev}",
  "{dev} --list",
  "--lis {dev}",
  "-J {dev}",
  "-lJ {dev}",
  "--json -l {dev}",
  "--raw {dev}",
  "-l --raw {dev}",
  "-ln {dev}",
  "-l --noheadings --raw {dev}",
  "-n {dev}",
  `-O ${COLUMNS} {dev}`,
  `-O${COLUMNS} --raw {dev}`,
  `--output=${COLUMNS} -J {dev}`,
];

const CHOICES = [
  "-O name {dev}",
  "-O Name,rO {dev}",
  "-O NAME,NAME {dev}",
  "-O RO -O NAME {dev}",
  "-O +RO {dev}",
  "-O +MAJ:MIN,BACK-INO -n {dev}",
  "-O +RO -J {dev}",
  "-O BACK-FILE,NAME {dev}",
  "-O RO,OFFSET {dev}",
  "--output-all -O NAME {dev}",
  "-O FOO {dev}",
  "-O NAME,FOO,BAR {dev}",
  "-O NAME, {dev}",
  "-O , {dev}",
  "-O +FOO {dev}",
  "-O NAME+RO {dev}",
  "-O FOO nowhere",
  "-O FOO -o 1 {dev}",
];

const WRONG_DEVICES = [
  "nowhere",
  "/dev/nowhere",
  "disk",
  "folder",
  "''",
  "/dev/null",
  "-l nowhere",
  "-l disk",
  "-J -l nowhere",
  "-O NAME /dev/null",
];

const FILES = [
  "-j disk",
  "--associated disk",
  "--assoc=disk",
  "-jdisk",
  "-j {dir}/disk",
  "-j link",
  "-j hard",
  "-j ./disk",
  "-j folder/../disk",
  "-lj disk",
  "-Jlj disk",
  "-J -j disk",
  "-l --raw -j disk",
  "-n -O NAME,OFFSET -j disk",
  "-j disk -o 0",
  "-j disk -o 512",
  "-o 512 -j link",
  "-lj disk -o 512",
  "-j disk -o 1",
  "-j disk --offset 0x200",
  "-j disk -o 512B",
  "-j disk -j other",
  "-j sector",
  "-j nowhere",
  "-j dangling",
  "-j folder",
  "-j ''",
  "-j missing/folder/disk",
  "-lj nowhere",
  "-Jlj nowhere",
  "-l --raw -j nowhere",
  "-O NAME -j nowhere",
  "-j disk --sizelimit 0",
  "-j disk --sizelimit 5",
  "-j disk -b 512",
  "-j disk other",
  "-lj disk {dev3}",
];

const LIMITS = [
  "losetup -o 512 {dev} disk",
  "losetup -o 512 --sizelimit 4096 {dev2} disk",
  "losetup --sizelimit 4096 {dev3} disk",
];
const LIMITED = [
  "-j disk --sizelimit 0",
  "-j disk --sizelimit 0 -o 0",
  "-j disk -o 512",
  "-j disk -o 512 --sizelimit 0",
  "-lj disk -o 512 --sizelimit 0",
  "-j disk -o 512 --sizelimit 4096",
];

export const LIST_ROWS: readonly Row[] = [
  ...rows(FORMS, { before: WHOLE }),
  ...rows(FORMS, { before: WINDOW }),
  ...rows(FORMS, { before: UNUSED }),
  // (Their inodes are new ones each time: a copy, and the node of a device.)
  ...rows(["-l {dev}", "-lJ {dev}", "-l --raw {dev}"], { before: GONE }),
  ...rows(["-l {dev2}", "-O MAJ:MIN,BACK-MAJ:MIN {dev2}", "-lj {dev}"], { before: STACKED }),
  ...rows(["-l {dev}", "-O PARTSCAN,LOG-SEC,DIO {dev}"], {
    before: ["losetup -P -b 4096 --direct-io=on {dev} parts"],
  }),
  ...rows(CHOICES, { before: WHOLE }),
  ...rows(WRONG_DEVICES),
  ...rows(FILES, { before: SHARED }),
  ...rows(LIMITED, { before: LIMITS }),
];
