import systeminformation from 'systeminformation';

/** What is available counts caches that the kernel gives back when asked. */
export async function memory(): Promise<{ usedPercent: number; totalBytes: number; availableBytes: number }> {
  const { total, available } = await systeminformation.mem();
  return {
    usedPercent: total === 0 ? 0 : ((total - available) / total) * 100,
    totalBytes: total,
    availableBytes: available,
  };
}
