/** What is available counts caches that the kernel gives back when asked. */
export async function memory(): Promise<{ usedPercent: number; totalBytes: number; availableBytes: number }> {
  const { default: systeminformation } = await import('systeminformation'); // 10 MiB, for who asks
  const { total, available } = await systeminformation.mem();
  return {
    usedPercent: total === 0 ? 0 : ((total - available) / total) * 100,
    totalBytes: total,
    availableBytes: available,
  };
}
