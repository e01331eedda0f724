/** The part of the NBD protocol that a disk and its client need; names as in its specification, numbers big-endian. */

const optionMagic = 0x49484156454f5054n; // IHAVEOPT
const optionReplyMagic = 0x3e889045565a9n;
const requestMagic = 0x25609513;
const replyMagic = 0x67446698;
const invalidArgument = 22;

/** Flags are sent, flush is understood, forced unit access is understood. */
export const transmissionFlags = 0b1101;

/** What a server greets with: the fixed newstyle handshake, no zeroes after it. */
export function handshakeMagic(): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.write('NBDMAGIC', 'latin1');
  bytes.writeBigUInt64BE(optionMagic, 8);
  bytes.writeUInt16BE(0b11, 16);
  return bytes;
}

export const option = {
  abort: 2,
  info: 6,
  go: 7,
  parse(head: Buffer): { code: number; length: number } {
    if (head.readBigUInt64BE(0) !== optionMagic) throw new Error('not an option');
    return { code: head.readUInt32BE(8), length: head.readUInt32BE(12) };
  },
  make(code: number, data = Buffer.alloc(0)): Buffer {
    const head = Buffer.alloc(16);
    head.writeBigUInt64BE(optionMagic, 0);
    head.writeUInt32BE(code, 8);
    head.writeUInt32BE(data.length, 12);
    return Buffer.concat([head, data]);
  },
};

export const optionReply = {
  acknowledged: (code: number): Buffer => answer(code, 1),
  unsupported: (code: number): Buffer => answer(code, 0x8000_0001),
  size(code: number, size: number, flags: number): Buffer {
    const data = Buffer.alloc(12);
    data.writeBigUInt64BE(BigInt(size), 2);
    data.writeUInt16BE(flags, 10);
    return answer(code, 3, data);
  },
  blockSizes(code: number, maxBytes: number): Buffer {
    const data = Buffer.alloc(14);
    data.writeUInt16BE(3, 0);
    data.writeUInt32BE(512, 2);
    data.writeUInt32BE(4096, 6);
    data.writeUInt32BE(maxBytes, 10);
    return answer(code, 3, data);
  },
};

function answer(code: number, type: number, data = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(optionReplyMagic, 0);
  head.writeUInt32BE(code, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

export interface DiskRequest {
  type: number;
  durable: boolean;
  handle: bigint;
  offset: number;
  length: number;
}

export const request = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  parse(head: Buffer): DiskRequest {
    if (head.readUInt32BE(0) !== requestMagic) throw new Error('not a request');
    return {
      durable: (head.readUInt16BE(4) & 1) === 1,
      type: head.readUInt16BE(6),
      handle: head.readBigUInt64BE(8),
      offset: Number(head.readBigUInt64BE(16)),
      length: head.readUInt32BE(24),
    };
  },
  make({ type, durable, handle, offset, length }: DiskRequest): Buffer {
    const head = Buffer.alloc(28);
    head.writeUInt32BE(requestMagic, 0);
    head.writeUInt16BE(durable ? 1 : 0, 4);
    head.writeUInt16BE(type, 6);
    head.writeBigUInt64BE(handle, 8);
    head.writeBigUInt64BE(BigInt(offset), 16);
    head.writeUInt32BE(length, 24);
    return head;
  },
};

export const reply = {
  done: (handle: bigint): Buffer => simpleReply(handle, 0),
  invalid: (handle: bigint): Buffer => simpleReply(handle, invalidArgument),
  parse(head: Buffer): { error: number; handle: bigint } {
    if (head.readUInt32BE(0) !== replyMagic) throw new Error('not a reply');
    return { error: head.readUInt32BE(4), handle: head.readBigUInt64BE(8) };
  },
};

function simpleReply(handle: bigint, error: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32BE(replyMagic, 0);
  head.writeUInt32BE(error, 4);
  head.writeBigUInt64BE(handle, 8);
  return head;
}
