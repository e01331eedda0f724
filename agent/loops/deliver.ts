import type { Welcome } from '../../shared/protocol/hello.ts';
import { questionsSince } from '../../shared/protocol/version.ts';
import type { Connection } from '../link/connection.ts';
import type { AgentStore } from '../store/agent-store.ts';
import { Wake } from './wake.ts';

/** One frame of reports. */
const maxBatchRows = 256;
const maxBatchBytes = 256 * 1024;
/** Sent and not acknowledged: what a slow link or a slow controller makes this process and the network hold. */
const maxUnackedRows = 2_048;
const maxUnackedBytes = 1024 * 1024;

/**
 * Sends the outbox over one link, in order of seq, and goes on as rows are appended and acknowledged. A row leaves as soon as it is
 * committed; rows that gather while the window is full travel together.
 */
export async function deliver(
  connection: Connection,
  store: AgentStore,
  { ackedSeq, protocol }: Pick<Welcome, 'ackedSeq' | 'protocol'>,
  signal: AbortSignal,
): Promise<void> {
  const wake = new Wake();
  const portion = {
    maxRows: maxBatchRows,
    maxBytes: maxBatchBytes,
    // Their deadline decides them here.
    without: protocol < questionsSince ? ('question' as const) : undefined,
  };
  const unacked: { seq: number; bytes: number }[] = [];
  let unackedBytes = 0;
  let sentSeq = ackedSeq;

  const stopListening = store.outbox.listen({
    appended: () => wake.notify(),
    acked: (seq) => {
      while (unacked[0] !== undefined && unacked[0].seq <= seq) unackedBytes -= unacked.shift()?.bytes ?? 0;
      wake.notify();
    },
  });
  try {
    for (;;) {
      while (unacked.length < maxUnackedRows && unackedBytes < maxUnackedBytes) {
        const rows = store.outbox.after(sentSeq, portion);
        const last = rows.at(-1);
        if (!last) break;
        connection.sendText(`{"type":"report.batch","reports":[${rows.map(({ json }) => json).join(',')}]}`);
        for (const { seq, bytes } of rows) {
          unacked.push({ seq, bytes });
          unackedBytes += bytes;
        }
        sentSeq = last.seq;
      }
      await wake.wait(signal);
    }
  } finally {
    stopListening();
  }
}
