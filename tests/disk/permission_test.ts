// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { ImageFile } from "../../src/storage/image_file.ts";
import { openNamedFile } from "../../src/disk/permission.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { rootTest, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const NOBODY = 65534;

/** Folders `images` and `elsewhere`, each with a file `disk`, and an image in the former. */
class Scene implements Disposable {
  readonly folder = new TempDirectory();
  readonly images = Deno.realPathSync(this.folder.path) + "/images";
  readonly elsewhere = Deno.realPathSync(this.folder.path) + "/elsewhere";
  readonly #path = `${this.images}/top`;

  constructor() {
    for (const place of [this.images, this.elsewhere]) {
      Deno.mkdirSync(place);
      Deno.writeTextFileSync(`${place}/disk`, place);
    }
    Deno.writeTextFileSync(this.#path, "");
    Deno.chmodSync(this.#path, 0o644);
  }

  giveAway(): this {
    Deno.chownSync(this.#path, NOBODY, NOBODY);
    return this;
  }

  chmod(mode: number): this {
    Deno.chmodSync(this.#path, mode);
    return this;
  }

  link(target: string, name: string): string {
    Deno.symlinkSync(target, `${this.images}/${name}`);
    return `${this.images}/${name}`;
  }

  /** Size of the file that the image may name. */
  open(path: string, { allowed = [], relative = false, isWritten = false }: Options = {}): number {
    using by = new ImageFile(openFile(this.#path, O_RDONLY), this.#path);
    const folder = relative ? this.images : undefined;
    using file = openNamedFile(path, { by, folder, allowed, isWritten });
    return file.sizeBytes;
  }

  /** Why the image may not name the file. */
  refusal(path: string, options: Options = {}): string {
    return assertThrows(() => this.open(path, options), Error).message;
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

interface Options {
  readonly allowed?: readonly string[];
  readonly relative?: boolean;
  readonly isWritten?: boolean;
}

Deno.test("openNamedFile() lets the user's own image name any file", () => {
  using scene = new Scene();
  assertEquals(scene.open(`${scene.elsewhere}/disk`), scene.elsewhere.length);
  assertEquals(scene.open(`${scene.images}/../elsewhere/disk`, { relative: true }) > 0, true);
  assertEquals(scene.open(scene.link(`${scene.elsewhere}/disk`, "link")) > 0, true);
});

Deno.test("openNamedFile() lets the user's own image write to nothing outside its folder", () => {
  using scene = new Scene();
  const isWritten = true;
  const path = `${scene.elsewhere}/disk`;
  const links = [path, scene.link(path, "link"), `${scene.images}/../elsewhere/disk`];
  for (const name of links) {
    for (const relative of name === path ? [false] : [false, true]) {
      assertEquals(
        scene.refusal(name, { isWritten, relative }),
        `not allowed: it would be written to, and ${path} is not below its folder ` +
          `(--allow-backing ${path} allows it)`,
      );
    }
  }
  assertEquals(scene.open(path, { isWritten, allowed: [path] }) > 0, true);
  assertEquals(scene.open(`${scene.images}/disk`, { isWritten }) > 0, true);
});

rootTest(
  "openNamedFile() lets another's image write to nothing that its owner could not write to",
  [],
  () => {
    using scene = new Scene().giveAway();
    const path = `${scene.images}/disk`;
    Deno.chmodSync(path, 0o644);
    assertEquals(scene.open(path) > 0, true);
    assertEquals(
      scene.refusal(path, { isWritten: true }),
      `not allowed: the image is not your own, and not all who could have named ${path} ` +
        `may write to it (--allow-backing ${path} allows it)`,
    );
    Deno.chownSync(path, NOBODY, 0);
    assertEquals(scene.open(path, { isWritten: true }) > 0, true);
  },
);

Deno.test("openNamedFile() takes an image that others may write to for another's", () => {
  for (const mode of [0o664, 0o646]) {
    using scene = new Scene().chmod(mode);
    assertEquals(
      scene.refusal(`${scene.elsewhere}/disk`),
      `not allowed: others may write to the image, and ${scene.elsewhere}/disk is not below its ` +
        `folder (--allow-backing ${scene.elsewhere}/disk allows it)`,
    );
    assertEquals(scene.open(`${scene.images}/disk`) > 0, true);
  }
});

rootTest(
  "openNamedFile() lets another's image name what is below its folder, links followed",
  [],
  () => {
    using scene = new Scene().giveAway();
    const { images, elsewhere } = scene;
    Deno.mkdirSync(`${images}/sub`);
    Deno.mkdirSync(`${images}-too`);
    for (const place of [`${images}/sub`, `${images}-too`]) {
      Deno.writeTextFileSync(`${place}/x`, "x");
    }
    assertEquals(scene.open(`${images}/disk`, { relative: true }) > 0, true);
    assertEquals(scene.open(`${images}/sub/x`), 1);
    assertEquals(scene.open(`${images}/../images/sub/../sub/x`), 1);
    assertEquals(scene.open(scene.link(`${images}/sub/x`, "inside")), 1);
    assertEquals(scene.open(`${scene.link(`${images}/sub`, "folder")}/x`), 1);
    const outside = [
      `${elsewhere}/disk`,
      `${images}/../elsewhere/disk`,
      `${images}-too/x`,
      scene.link(`${elsewhere}/disk`, "outside"),
      scene.link("../elsewhere/disk", "outside too"),
      `${scene.link(elsewhere, "folder outside")}/disk`,
      "/proc/self/exe",
    ];
    for (const path of outside) scene.refusal(path, { relative: true });
  },
);

/** Why another's image may not name a file that lies below its folder. */
function secret({ images }: Scene, path: string): string {
  return `not allowed: the image is not your own, and not all who could have named ` +
    `${images}/${path} may read it (--allow-backing ${images}/${path} allows it)`;
}

rootTest(
  "openNamedFile() lets another's image name nothing that its owner could not read",
  [],
  () => {
    using scene = new Scene().giveAway();
    const { images } = scene;
    Deno.chmodSync(images, 0o1777);
    Deno.mkdirSync(`${images}/private`);
    for (const path of ["mine", "private/x"]) Deno.writeTextFileSync(`${images}/${path}`, "x");
    Deno.chmodSync(`${images}/mine`, 0o600);
    Deno.chmodSync(`${images}/private`, 0o700);
    scene.link("mine", "link");
    scene.link("private", "folder link");
    for (const relative of [true, false]) {
      const refusal = (path: string): string => scene.refusal(`${images}/${path}`, { relative });
      assertEquals(refusal("mine"), secret(scene, "mine"));
      assertEquals(refusal("link"), secret(scene, "mine"));
      assertEquals(refusal("private/x"), secret(scene, "private/x"));
      assertEquals(refusal("folder link/x"), secret(scene, "private/x"));
    }
    assertEquals(scene.open(`${images}/mine`, { allowed: [images] }), 1);
    Deno.chownSync(`${images}/mine`, NOBODY, 0);
    assertEquals(scene.open(`${images}/mine`), 1);
    Deno.chmodSync(`${images}/private`, 0o711);
    assertEquals(scene.open(`${images}/private/x`), 1);
  },
);

Deno.test("openNamedFile() shows no secret where everybody could have named it", () => {
  using scene = new Scene().chmod(0o666);
  const path = `${scene.images}/disk`;
  assertEquals(scene.open(path) > 0, true);
  Deno.chmodSync(path, 0o640);
  const refusal = scene.refusal(path, { relative: true });
  assertEquals(refusal.includes(`not all who could have named ${path} may read it`), true);
});

rootTest(
  "openNamedFile() asks who could have put links into the folder of a relative name",
  [],
  () => {
    using scene = new Scene();
    const path = `${scene.images}/disk`;
    Deno.chmodSync(path, 0o600);
    Deno.chownSync(scene.images, NOBODY, NOBODY);
    assertEquals(
      scene.refusal(path, { relative: true }).startsWith(
        `not allowed: the image's folder is not your own, and not all who could have named ${path}`,
      ),
      true,
    );
    Deno.chownSync(path, NOBODY, NOBODY);
    assertEquals(scene.open(path, { relative: true }) > 0, true);
  },
);

rootTest("openNamedFile() lets another's image name what the user allows", [], () => {
  using scene = new Scene().giveAway();
  const { elsewhere } = scene;
  const path = `${elsewhere}/disk`;
  for (const allowed of [[elsewhere], [path], ["/nowhere", elsewhere], ["/"]]) {
    assertEquals(scene.open(path, { allowed }) > 0, true);
  }
  for (const allowed of [[`${elsewhere}/dis`], [`${path}/x`], [elsewhere.slice(0, -1)]]) {
    scene.refusal(path, { allowed });
  }
});

rootTest("openNamedFile() trusts no relative name in a folder that is somebody else's", [], () => {
  using scene = new Scene();
  const link = scene.link(`${scene.elsewhere}/disk`, "link");
  Deno.chownSync(scene.images, NOBODY, NOBODY);
  scene.refusal(link, { relative: true });
  assertEquals(scene.open(`${scene.elsewhere}/disk`) > 0, true);
  Deno.chownSync(scene.images, 0, 0);
  Deno.chmodSync(scene.images, 0o777);
  scene.refusal(link, { relative: true });
  Deno.chmodSync(scene.images, 0o1777);
  assertEquals(scene.open(link, { relative: true }) > 0, true);
});

Deno.test("openNamedFile() opens nothing but files and block devices, and waits for nothing", () => {
  using scene = new Scene();
  const pipe = `${scene.images}/pipe`;
  new Deno.Command("mkfifo", { args: [pipe] }).outputSync();
  for (const path of [pipe, "/dev/zero", scene.link("/dev/zero", "zero")]) {
    assertEquals(scene.refusal(path), "Block device required");
  }
  assertEquals(scene.refusal(scene.elsewhere), "Is a directory");
  assertEquals(scene.refusal(`${scene.images}/missing`), "No such file or directory");
  assertEquals(scene.refusal(`${scene.images}/disk/x`), "Not a directory");
  assertEquals(scene.refusal(`${scene.images}/${"x".repeat(1000)}`), "File name too long");
  assertEquals(scene.refusal(scene.link("self", "self")), "Too many levels of symbolic links");
  assertThrows(() => scene.open(`${scene.images}/missing`), SystemError);
});

rootTest("openNamedFile() is not deceived by mounts of another namespace", [
  "unshare",
], async () => {
  using scene = new Scene().giveAway();
  const { images, elsewhere } = scene;
  const script = `mount --bind ${elsewhere}/disk ${images}/disk && echo ready && exec sleep 60`;
  const command = new Deno.Command("unshare", {
    args: ["--mount", "--propagation", "private", "sh", "-c", script],
    stdout: "piped",
  });
  await using process = command.spawn();
  const reader = process.stdout.getReader();
  await reader.read();
  const path = `/proc/${process.pid}/root${images}/disk`;
  assertEquals(Deno.readTextFileSync(path), elsewhere);
  assertEquals(
    scene.refusal(path),
    "not allowed: the file is in another mount namespace",
  );
  process.kill("SIGKILL");
  await reader.cancel();
});
