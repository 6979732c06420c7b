/**
 * Fixed structures on a disk, declared once as a list of named fields.
 *
 * @module
 */

/** Width of an unsigned number. */
type NumberType = "u8" | "u16" | "u32" | "u64";

/** Width of an unsigned field, or the length of a field that is not a number: `bytes32`. */
export type FieldType = NumberType | `bytes${number}`;

const NUMBER_BYTES: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

function fieldBytes(type: FieldType): number {
  return NUMBER_BYTES[type] ?? Number(type.slice("bytes".length));
}

/** Value of a field: 64-bit ones are bigints, as they may hold anything until they are checked. */
export type FieldValue<T extends FieldType> = T extends "u64" ? bigint
  : T extends NumberType ? number
  : Uint8Array<ArrayBuffer>;

/** The values of one structure, by field name. */
export type RecordValues<F extends Readonly<Record<string, FieldType>>> = {
  readonly [K in keyof F]: FieldValue<F[K]>;
};

/**
 * A structure without gaps, its fields in the order they are declared. For opening images only: hot
 * code reads single table entries with a DataView.
 */
export class RecordLayout<const F extends Readonly<Record<string, FieldType>>> {
  readonly sizeBytes: number;
  /** Offset of each field from the start of the structure, in bytes. */
  readonly offsets: { readonly [K in keyof F]: number };
  /** Width of each field. */
  readonly types: F;
  readonly #littleEndian: boolean;

  /** @throws {Error} if the fields do not add up to `sizeBytes`, the size the specification gives */
  constructor(fields: F, options: { sizeBytes: number; endian: "big" | "little" }) {
    const offsets: Record<string, number> = {};
    let offset = 0;
    for (const [name, type] of Object.entries(fields)) {
      offsets[name] = offset;
      offset += fieldBytes(type);
    }
    if (offset !== options.sizeBytes) throw new Error(`record of ${offset} bytes`);
    this.sizeBytes = offset;
    this.offsets = offsets as { readonly [K in keyof F]: number };
    this.types = fields;
    this.#littleEndian = options.endian === "little";
  }

  /**
   * The values of the structure at `position`.
   *
   * @throws {RangeError} if it does not lie within `view`
   */
  read(view: DataView, position: number): RecordValues<F> {
    const values: Record<string, FieldValue<FieldType>> = {};
    for (const name of Object.keys(this.types)) {
      values[name] = this.#readField(view, position, name);
    }
    return values as RecordValues<F>;
  }

  #readField(view: DataView, position: number, name: keyof F): FieldValue<FieldType> {
    const at = position + this.offsets[name];
    const type: FieldType | undefined = this.types[name];
    switch (type) {
      case "u8":
        return view.getUint8(at);
      case "u16":
        return view.getUint16(at, this.#littleEndian);
      case "u32":
        return view.getUint32(at, this.#littleEndian);
      case "u64":
        return view.getBigUint64(at, this.#littleEndian);
      default:
        return copyOf(view, at, fieldBytes(type ?? "bytes0"));
    }
  }

  /**
   * Puts the structure at `position`; what is not among `values` stays as it is.
   *
   * @throws {RangeError} if it does not lie within `view`, or a value does not fit its field
   */
  write(view: DataView, position: number, values: Partial<RecordValues<F>>): void {
    for (const name of Object.keys(values)) {
      const value: FieldValue<FieldType> | undefined = values[name];
      if (value !== undefined) this.#writeField(view, position, { name, value });
    }
  }

  #writeField(
    view: DataView,
    position: number,
    { name, value }: { readonly name: keyof F; readonly value: FieldValue<FieldType> },
  ): void {
    const at = position + this.offsets[name];
    const type: FieldType = this.types[name] ?? "bytes0";
    if (!fits(value, type)) throw new RangeError(`${String(name)} cannot be ${value}`);
    if (value instanceof Uint8Array) return putBytes(view, at, value);
    if (typeof value === "bigint") return view.setBigUint64(at, value, this.#littleEndian);
    switch (type) {
      case "u8":
        return view.setUint8(at, value);
      case "u16":
        return view.setUint16(at, value, this.#littleEndian);
      default:
        return view.setUint32(at, value, this.#littleEndian);
    }
  }
}

/** Whether a field of `type` can hold `value` exactly. */
function fits(value: FieldValue<FieldType>, type: FieldType): boolean {
  const bits = 8 * fieldBytes(type);
  if (value instanceof Uint8Array) return !(type in NUMBER_BYTES) && value.length * 8 === bits;
  if (typeof value === "bigint") return type === "u64" && BigInt.asUintN(64, value) === value;
  return type !== "u64" && type in NUMBER_BYTES && Number.isInteger(value) && value >= 0 &&
    value < 2 ** bits;
}

function putBytes(view: DataView, at: number, bytes: Uint8Array): void {
  if (at + bytes.length > view.byteLength) throw new RangeError("a record outside of its view");
  new Uint8Array(view.buffer, view.byteOffset + at, bytes.length).set(bytes);
}

function copyOf(view: DataView, at: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
  if (at + lengthBytes > view.byteLength) throw new RangeError("a record outside of its view");
  const copy = new Uint8Array(lengthBytes);
  copy.set(new Uint8Array(view.buffer, view.byteOffset + at, lengthBytes));
  return copy;
}
