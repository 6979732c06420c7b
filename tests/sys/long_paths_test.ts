// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ENAMETOOLONG, ENOENT, SystemError } from "../../src/sys/errno.ts";
import {
  fileStatus,
  fileStatusIfAny,
  linkStatus,
  O_PATH,
  O_RDONLY,
  openFile,
  readText,
} from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { absoluteName, folderName, folderOf } from "../../src/sys/paths.ts";
import { DEEP_NAME, DeepFolder } from "../support/deep_folder.ts";
import { oracleTest } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

oracleTest(
  "openFile() and fileStatus() take paths that are too long for the kernel",
  ["bash"],
  async () => {
    using deep = await DeepFolder.make();
    await deep.run("bash", "-c", "printf text >file && ln -s file link");
    const path = `${deep.path}/file`;
    assert(path.length > 4096);
    for (const name of [path, path.replaceAll("/", "//"), `${deep.path}/link`]) {
      using file = openFile(name, O_RDONLY);
      assertEquals(readText(file.number, name), "text");
      assertEquals(fileStatus(name).sizeBytes, 4);
    }
    assertEquals(linkStatus(`${deep.path}/link`).kind, "link");
    assertEquals(fileStatusIfAny(`${deep.path}/nowhere`), undefined);
  },
);

oracleTest("openFile() says what is wrong with a long path", ["bash"], async () => {
  using deep = await DeepFolder.make();
  const errnoOf = (path: string): number =>
    assertThrows(() => openFile(path, O_PATH), SystemError).errno;
  assertEquals(errnoOf(`${deep.path}/nowhere/file`), ENOENT);
  assertEquals(errnoOf(`${deep.path}/${"x".repeat(5000)}`), ENAMETOOLONG);
  assertEquals(errnoOf("x".repeat(5000)), ENAMETOOLONG);
});

oracleTest(
  "absoluteName() and folderName() know where one is, however deep",
  ["bash"],
  async () => {
    using deep = await DeepFolder.make();
    await deep.run("touch", "file");
    const names = deep.within(() => [
      absoluteName("file"),
      absoluteName("./file"),
      absoluteName(`../${DEEP_NAME}/file`),
      absoluteName("nowhere"),
      folderName("."),
      folderName(".."),
      absoluteName("/dev/null"),
    ]);
    const { path } = deep;
    assertEquals(names, [
      ...[`${path}/file`, `${path}/file`, `${path}/file`, `${path}/nowhere`],
      ...[path, folderOf(path), "/dev/null"],
    ]);
    assertThrows(() => folderName("/nowhere"), SystemError, "No such file");
    assertThrows(() => folderName(`${path}/nowhere`), SystemError, "No such file");
  },
);
