const NUMBER = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

/** `0 bytes`, `512 bytes`, `1.5 KiB`, `20 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  if (bytes < 1024 ** 2) return `${NUMBER.format(bytes / 1024)} KiB`;
  if (bytes < 1024 ** 3) return `${NUMBER.format(bytes / 1024 ** 2)} MiB`;
  return `${NUMBER.format(bytes / 1024 ** 3)} GiB`;
}
