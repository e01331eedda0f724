import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { byteReader, type ReadBytes } from './byte-reader.ts';
import { option, reply, request } from './disk-protocol.ts';

/** The other end of the NBD protocol, one request at a time: what a kernel would ask of its disk. */
export class DiskClient implements Disposable {
  readonly size: number;
  readonly #socket: Socket;
  readonly #read: ReadBytes;
  #handle = 0n;

  private constructor(socket: Socket, read: ReadBytes, size: number) {
    this.#socket = socket;
    this.#read = read;
    this.size = size;
  }

  static async connect(path: string): Promise<DiskClient> {
    const socket = connect(path);
    await once(socket, 'connect');
    const read = byteReader(socket);
    await read(18);
    socket.write(Buffer.from([0, 0, 0, 3]));
    const name = Buffer.from('disk');
    const wish = Buffer.concat([Buffer.from([0, 0, 0, name.length]), name, Buffer.alloc(2)]);
    socket.write(option.make(option.go, wish));
    let size = 0;
    for (;;) {
      const head = await read(20);
      const data = await read(head.readUInt32BE(16));
      if (head.readUInt32BE(12) === 1) return new DiskClient(socket, read, size);
      if (data.readUInt16BE(0) === 0) size = Number(data.readBigUInt64BE(2));
    }
  }

  async read(offset: number, length: number): Promise<Buffer> {
    await this.#ask(request.read, { offset, length });
    return this.#read(length);
  }

  /** `durable` is forced unit access. */
  write(offset: number, data: Buffer, durable = false): Promise<void> {
    return this.#ask(request.write, { offset, length: data.length, data, durable });
  }

  flush(): Promise<void> {
    return this.#ask(request.flush, { offset: 0, length: 0 });
  }

  /** Anything, also what makes no sense. */
  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Settles when the server has ended the connection. */
  async closed(): Promise<void> {
    this.#socket.resume();
    if (!this.#socket.destroyed) await once(this.#socket, 'close');
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #ask(
    type: number,
    { data, durable = false, ...range }: { offset: number; length: number; data?: Buffer; durable?: boolean },
  ): Promise<void> {
    this.#handle += 1n;
    this.#socket.write(request.make({ type, durable, handle: this.#handle, ...range }));
    if (data) this.#socket.write(data);
    const { error, handle } = reply.parse(await this.#read(16));
    if (handle !== this.#handle) throw new Error(`the answer is for ${handle}, not ${this.#handle}`);
    if (error !== 0) throw new Error(`the disk says ${error}`);
  }
}
