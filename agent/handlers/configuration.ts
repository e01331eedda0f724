import type { DeviceProfile } from '../../shared/device-profile.ts';
import type { FileTree } from '../transaction/archive-tree.ts';
import type { TransactionMachine } from '../transaction/machine.ts';
import type { ControllerProbe, Transfers } from './transfers.ts';

/** What SYNC, PULL and BACKUP work with; an agent without it does not offer them. */
export interface Configuration {
  device: { id: string; name: string; agentVersion: string };
  /** The device's own copy: it decides what may be managed, and how. */
  profile: DeviceProfile;
  machine: TransactionMachine;
  /** Where archives take their files from. */
  tree: FileTree;
  transfers: Transfers;
  probe: ControllerProbe;
  keys: DeviceKeys;
  /** Folder for what waits to be uploaded, `<data>/spool`; never plaintext. */
  spool: string;
  /** Files in which PULL and BACKUP keep what they have to remember. */
  memory: { view: string; archive: string };
  /** Absolute paths that are never read into a bundle, a view or an archive, and never written: the agent's own. */
  ownPaths: string[];
  /** Escrow recipients that this device accepts for originals and archives; all when absent. */
  allowedRecipients?: string[];
}

/** Keys that stay on the device. */
export interface DeviceKeys {
  /** Keyed digest (HMAC-SHA256, hex) for states of units: equal content, equal digest, and nothing else told. */
  stateDigest(text: string): string;
  /** First 8 hex digits of a keyed digest: how a secret shows in a view, so that a rotation is visible and the value is not. */
  secretToken(value: string): string;
  /** Where others encrypt to (age recipient). */
  recipient: string;
  decrypt(ciphertext: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Ed25519 signature of the device, base64url. */
  sign(text: string): string;
}
