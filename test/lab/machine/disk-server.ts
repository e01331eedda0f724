import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { byteReader, type ReadBytes } from './byte-reader.ts';
import { handshakeMagic, option, optionReply, reply, request, transmissionFlags } from './disk-protocol.ts';
import type { VolatileDisk } from './volatile-disk.ts';

const maxRequestBytes = 32 << 20;
const maxOptionBytes = 64 << 10;

/**
 * Serves a disk over NBD (the newstyle handshake, without structured replies) on a unix socket. Requests are
 * answered in their order; a client that breaks the protocol loses its connection.
 */
export class DiskServer implements AsyncDisposable {
  readonly #disk: VolatileDisk;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(disk: VolatileDisk) {
    this.#disk = disk;
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  static async listen(disk: VolatileDisk, path: string): Promise<DiskServer> {
    const server = new DiskServer(disk);
    server.#server.listen(path);
    await once(server.#server, 'listening');
    return server;
  }

  /** Answers nothing any more, not even what has arrived already. */
  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening && this.#sockets.size === 0) return;
    const closed = once(this.#server, 'close');
    this.stop();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    try {
      const read = byteReader(socket);
      if (await this.#negotiate(socket, read)) await this.#transmit(socket, read);
    } catch {
      // Only this client is lost; qemu says what it misses.
    } finally {
      socket.end();
    }
  }

  /** Whether requests follow. */
  async #negotiate(socket: Socket, read: ReadBytes): Promise<boolean> {
    socket.write(handshakeMagic());
    await read(4); // the client's flags: nothing here depends on them
    for (;;) {
      const head = await read(16);
      const { code, length } = option.parse(head);
      if (length > maxOptionBytes) throw new Error(`an option of ${length} bytes`);
      await read(length);
      if (code === option.info || code === option.go) {
        socket.write(optionReply.size(code, this.#disk.size, transmissionFlags));
        socket.write(optionReply.blockSizes(code, maxRequestBytes));
        socket.write(optionReply.acknowledged(code));
        if (code === option.go) return true;
      } else if (code === option.abort) {
        socket.write(optionReply.acknowledged(code));
        return false;
      } else {
        socket.write(optionReply.unsupported(code));
      }
    }
  }

  async #transmit(socket: Socket, read: ReadBytes): Promise<void> {
    for (;;) {
      const { type, durable, handle, offset, length } = request.parse(await read(28));
      if (type === request.disconnect) return;
      if (length > maxRequestBytes) throw new Error(`a request of ${length} bytes`);
      const data = type === request.write ? await read(length) : undefined;
      if (socket.destroyed) return;
      const outside = offset + length > this.#disk.size;
      if (type === request.flush) {
        this.#disk.flush();
        socket.write(reply.done(handle));
      } else if (type === request.read && !outside) {
        socket.write(reply.done(handle));
        socket.write(this.#disk.read(offset, length));
      } else if (data && !outside) {
        this.#disk.write(offset, data, { durable });
        socket.write(reply.done(handle));
      } else {
        socket.write(reply.invalid(handle));
      }
    }
  }
}
