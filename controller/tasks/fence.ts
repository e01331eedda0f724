import type { Hello } from '../../shared/protocol/hello.ts';
import type { DeviceRow, DeviceStoreRow } from '../store/devices.ts';

/** What a hello is worth: taken, from an older link of the same agent, from a device that may not be here, or proof of a second agent. */
export type Fence =
  | { verdict: 'pass' }
  | { verdict: 'stale' }
  | { verdict: 'not_enabled' }
  | { verdict: 'quarantine'; reason: string };

/**
 * Judges a hello of a link that was authenticated after every link that said hello before. An agent's database counts its starts
 * (epoch) and its outbox rows, and never goes back; so going back means that a copy of it, or of the key, is in use.
 */
export function judgeHello(
  { hello, publicKey }: { hello: Hello; publicKey: string | undefined },
  device: DeviceRow | undefined,
  stores: DeviceStoreRow[],
): Fence {
  if (device?.status !== 'ENABLED' || device.quarantinedAt !== null) return { verdict: 'not_enabled' };
  // The key may have ended between the opening of the link and its hello.
  const isItsKey = publicKey === undefined || [device.publicKey, device.nextPublicKey].includes(publicKey);
  if (!isItsKey || device.keyRevokedAt !== null) return { verdict: 'not_enabled' };

  const known = stores.find((store) => store.storeId === hello.storeId);
  if (known === undefined) return { verdict: 'pass' };
  if (known.supersededAt !== null) {
    return { verdict: 'quarantine', reason: `its earlier local database ${hello.storeId} came back` };
  }
  if (device.storeId !== hello.storeId) return { verdict: 'pass' };

  if (hello.epoch < device.epoch) {
    return { verdict: 'quarantine', reason: `epoch went back from ${device.epoch} to ${hello.epoch}` };
  }
  if (hello.epoch === device.epoch) {
    if (hello.instanceId !== device.instanceId) {
      return { verdict: 'quarantine', reason: `two agents use its key in epoch ${hello.epoch}` };
    }
    if (hello.connection < device.connection) return { verdict: 'stale' };
  }
  if (hello.lastSeq < known.appliedSeq) {
    return {
      verdict: 'quarantine',
      reason: `its outbox went back from row ${known.appliedSeq} to ${hello.lastSeq}`,
    };
  }
  return { verdict: 'pass' };
}
