/** A device that proved who it is. */
export interface AdmittedDevice {
  id: string;
  organizationId: string;
}

/**
 * Decides who may open a link, before the upgrade completes. Refusals are `AppError`s whose `detail` is a `LinkRefusalDetail`
 * ({controller_time, retry_after_ms}).
 */
export interface Admission {
  authenticate(authorization: string | undefined): Promise<AdmittedDevice>;
}
