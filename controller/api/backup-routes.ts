import { z } from 'zod';
import {
  Archive,
  ArchiveList,
  ArchiveQuery,
  BackupConfig,
  BackupRequest,
  RestorableRequest,
  RetentionPlan,
  RetentionRequest,
  VerifyAnswer,
} from '../../shared/api/backups.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import { backupConfigOf, setBackupConfig } from '../content/backup-configs.ts';
import { archiveLevel } from '../store/archives.ts';
import { backupParameters, requireRecipients } from '../tasks/backup-parameters.ts';
import { bytesOfBlob } from './device-transfer.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { ownDevice } from './own-device.ts';
import { type Route, route } from './route.ts';
import { runRequestOf } from '../tasks/run-request.ts';
import { sendBytes } from './send-bytes.ts';
import { showArchive, showRetentionPlan } from './show-archive.ts';

const organization = '/api/v1/organizations/:organization';
const root = `${organization}/backups`;
const tag = 'backups';
const ArchivePath = OrganizationPath.extend({ archive: z.string().max(64).describe('id') });

export const backupRoutes = (bodyTexts: BodyTexts): Route[] => [
  readConfig,
  writeConfig,
  run(bodyTexts),
  list,
  retention,
  describe,
  content,
  manifest,
  verify,
  restorable,
];

const readConfig = route({
  method: 'GET',
  path: `${organization}/backup-config`,
  role: 'viewer',
  tag,
  summary: 'Read how backups are made and kept',
  params: OrganizationPath,
  answer: BackupConfig,
  handle: ({ parts, principal }) => backupConfigOf(parts.store, principal.organization.id),
});

/** Whoever names the recipients decides who can read every device: only an admin may. */
const writeConfig = route({
  method: 'PUT',
  path: `${organization}/backup-config`,
  role: 'admin',
  tag,
  summary: 'Say how backups are made and kept',
  params: OrganizationPath,
  body: BackupConfig,
  answer: BackupConfig,
  errors: ['too_few_recipients'],
  handle: async ({ parts, actor, body }) => {
    if (body.recipients.length > 0) requireRecipients(body.recipients);
    await setBackupConfig(parts, actor, body);
    return body;
  },
});

const run = (bodyTexts: BodyTexts) =>
  route({
    method: 'POST',
    path: root,
    role: 'operator',
    tag,
    summary: 'Back up devices. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: BackupRequest,
    answer: RunAnswer,
    errors: ['unresolved_targets', 'too_few_recipients', 'invalid_parameters', 'idempotency_mismatch'],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      const { id: organizationId } = principal.organization;
      const config = await backupConfigOf(parts.store, organizationId);
      const { targets, full } = body;
      const perDevice = await backupParameters(
        { store: parts.store, now: parts.clock.now() },
        { organizationId, targets, full, config },
      );
      const { recipients, include, exclude } = config;
      const idempotency = idempotencyOf(call, bodyTexts);
      const { answer, replayed } = await parts.core.submit({
        actor,
        organization: principal.organization,
        request: runRequestOf('BACKUP', body, { recipients, include, exclude, full }),
        trigger: body.scheduled_at === undefined ? 'manual' : 'at',
        perDevice,
        ...(idempotency && { idempotency }),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  });

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List backups, newest first',
  params: OrganizationPath,
  query: ArchiveQuery,
  answer: ArchiveList,
  handle: async ({ parts, principal, query }) => {
    const organizationId = principal.organization.id;
    const deviceIds =
      query.device === undefined
        ? undefined
        : await parts.core.devices.idsMatching(organizationId, query.device);
    const filter = {
      organizationId,
      ...(deviceIds && { deviceIds }),
      ...(query.level && { level: query.level }),
    };
    return listPage(await parts.store.archives.list(filter, pagingOf(query)), query, showArchive);
  },
});

const retention = route({
  method: 'POST',
  path: `${root}/retention`,
  role: 'admin',
  tag,
  summary:
    'Show what the retention rules would delete; with `apply` delete exactly what an earlier plan named',
  params: OrganizationPath,
  body: RetentionRequest,
  answer: RetentionPlan,
  errors: ['not_found', 'conflict'],
  handle: async (call) => {
    const { parts, principal, actor, body } = call;
    if (body.apply !== undefined)
      return showRetentionPlan(await parts.content.retention.apply(actor, body.apply));
    const device =
      body.device === undefined
        ? undefined
        : await ownDevice({ ...call, params: { ...call.params, device: body.device } });
    return showRetentionPlan(await parts.content.retention.plan(principal.organization.id, device?.id));
  },
});

const describe = route({
  method: 'GET',
  path: `${root}/:archive`,
  role: 'viewer',
  tag,
  summary: 'Describe one backup',
  params: ArchivePath,
  answer: Archive,
  handle: async ({ parts, principal, params }) =>
    showArchive(await parts.content.archives.get(principal.organization.id, params.archive)),
});

const content = route({
  method: 'GET',
  path: `${root}/:archive/content`,
  role: 'operator',
  tag,
  summary: 'Download a backup as it is stored: encrypted; `Range` goes on where a download was cut',
  params: ArchivePath,
  produces: 'application/octet-stream',
  errors: ['digest_mismatch'],
  handle: async (call) => {
    const { parts, principal, params } = call;
    const { sha256, deviceName, storedAt } = await parts.content.archives.get(
      principal.organization.id,
      params.archive,
    );
    const day = new Date(storedAt).toISOString().slice(0, 10);
    return sendBytes(call, {
      ...(await bytesOfBlob(parts, sha256)),
      fileName: `${deviceName}-${day}-${sha256.slice(0, 8)}.tar.zst.age`,
    });
  },
});

const manifest = route({
  method: 'GET',
  path: `${root}/:archive/manifest`,
  role: 'viewer',
  tag,
  summary: 'Read what a backup holds, as the device signed it',
  params: ArchivePath,
  produces: 'application/json',
  errors: ['digest_mismatch'],
  handle: async (call) => {
    const { parts, principal, params } = call;
    const { manifestSha256 } = await parts.content.archives.get(principal.organization.id, params.archive);
    return sendBytes(call, { ...(await bytesOfBlob(parts, manifestSha256)), type: 'application/json' });
  },
});

const verify = route({
  method: 'POST',
  path: `${root}/:archive/verify`,
  role: 'operator',
  tag,
  summary: 'Read a backup from the store again and compare size and digest',
  params: ArchivePath,
  body: z.strictObject({}),
  answer: VerifyAnswer,
  handle: async ({ parts, actor, params }) => {
    const { row, ok, message } = await parts.content.archives.verify(actor, params.archive);
    return { archive: row.id, ok, level: archiveLevel(row), message };
  },
});

const restorable = route({
  method: 'POST',
  path: `${root}/:archive/restorable`,
  role: 'operator',
  tag,
  summary: 'Say that a drill succeeded: it was decrypted, and a device accepted what was in it',
  params: ArchivePath,
  body: RestorableRequest,
  answer: Archive,
  errors: ['invalid_parameters', 'conflict'],
  handle: async ({ parts, actor, params, body }) =>
    showArchive(await parts.content.archives.restorable(actor, params.archive, body)),
});
