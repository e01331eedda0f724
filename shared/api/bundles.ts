import { z } from 'zod';
import { Labels } from '../ids.ts';
import { FileMode, FilePath } from '../manifest.ts';
import { PageQuery, Timestamp, listOf } from './common.ts';

export const BundleName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected a bundle name of lower-case letters, digits and hyphens');

/** Devices whose desired configuration a bundle is part of: named, or carrying all the labels; `all` for every device. */
export const BundleTargets = z.strictObject({
  devices: z.array(z.string().min(1).max(256)).max(10_000).optional().describe('names of devices'),
  labels: Labels.optional(),
  all: z.boolean().optional(),
});
export type BundleTargets = z.output<typeof BundleTargets>;

/** One file: a template of the desired content, or that it must not exist. */
export const BundleFile = z
  .strictObject({
    path: FilePath,
    unit: z.string().min(1).max(32).describe('unit of the device profile that manages the path'),
    template: z
      .string()
      .max(1_048_576)
      .optional()
      .describe(
        'LiquidJS: {{ variable }}, {% if %}, {% for %}; device.name, device.labels, device.facts are there too',
      ),
    absent: z.boolean().default(false),
    mode: FileMode.optional().describe('the profile’s when absent'),
    owner: z.string().max(32).optional(),
    group: z.string().max(32).optional(),
  })
  .refine((file) => file.absent === (file.template === undefined), {
    message: 'expected exactly one of template and absent: true',
  });
export type BundleFile = z.output<typeof BundleFile>;

/** PUT /api/v1/organizations/{organization}/bundles/{bundle}: the whole bundle; a change makes a new revision. */
export const PutBundle = z.strictObject({
  profile: z.string().max(32).describe('id of the device profile'),
  description: z.string().max(256).default(''),
  targets: BundleTargets,
  files: z.array(BundleFile).min(1).max(2000),
});
export type PutBundle = z.output<typeof PutBundle>;

export const Bundle = z.object({
  name: z.string(),
  organization: z.string(),
  revision: z.int(),
  profile: z.string(),
  description: z.string(),
  targets: BundleTargets,
  files: z.array(BundleFile).optional().describe('left out of lists'),
  file_count: z.int(),
  updated_by: z.string(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Bundle = z.output<typeof Bundle>;
export const BundleList = listOf(Bundle);
export const BundleQuery = z.strictObject({ ...PageQuery });
