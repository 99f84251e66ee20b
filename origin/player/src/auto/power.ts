/** Hints about power and data, where the browser gives any. */

interface Battery extends EventTarget {
  charging: boolean;
}

interface Hints {
  getBattery?(): Promise<Battery>;
  connection?: { saveData?: boolean };
}

export const savesData = (): boolean => (navigator as Hints).connection?.saveData === true;

/** Tells whether a battery feeds the device, now and when that changes. */
export async function watchBattery(signal: AbortSignal, onChange: (onBattery: boolean) => void): Promise<void> {
  const battery = await (navigator as Hints).getBattery?.().catch(() => null);
  if (!battery || signal.aborted) return;
  const tell = (): void => onChange(!battery.charging);
  battery.addEventListener("chargingchange", tell, { signal });
  tell();
}
