import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import type { SessionPeer } from '../../shared/task-types/connect.ts';

const maxPeers = 100;

/** What the streams of a session were opened for, added up per service. Services beyond the bound are added up as `other`. */
export class Peers {
  readonly #peers = new Map<string, SessionPeer>();

  opened(service: string, stream: MuxStream): void {
    const peer = this.#peer(service);
    peer.streams += 1;
    stream.once('close', () => {
      peer.bytes_in += stream.bytesReceived;
      peer.bytes_out += stream.bytesSent;
    });
  }

  refused(service: string): void {
    this.#peer(service).refused += 1;
  }

  list(): SessionPeer[] {
    return [...this.#peers.values()];
  }

  #peer(service: string): SessionPeer {
    const key = this.#peers.has(service) || this.#peers.size < maxPeers - 1 ? service : 'other';
    const known = this.#peers.get(key);
    if (known) return known;
    const peer = { service: key, streams: 0, refused: 0, bytes_in: 0, bytes_out: 0 };
    this.#peers.set(key, peer);
    return peer;
  }
}
