import { SignJWT } from 'jose/jwt/sign';
import type { Random } from '../../shared/clock.ts';
import type { KeyPair } from '../../shared/node/keys.ts';
import { linkTokenLifetimeSeconds } from '../../shared/protocol/enrol.ts';
import type { ControllerClock } from './controller-clock.ts';

/** Who asks, and whom. */
export interface DeviceTokenParts {
  controllerId: string;
  deviceId: string;
  keys: KeyPair;
  controllerClock: ControllerClock;
  random: Random;
}

/** Proves to the controller who this is, once: every request and every dial takes a new one. */
export async function deviceToken(parts: DeviceTokenParts): Promise<string> {
  const issuedAt = Math.floor(parts.controllerClock.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA' })
    .setSubject(parts.deviceId)
    .setAudience(parts.controllerId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + linkTokenLifetimeSeconds)
    .setJti(parts.random.uuid())
    .sign(parts.keys.privateKey);
}
