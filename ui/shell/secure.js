// @ts-check
/** What this page may use of its browser. It does not change while the page lives. */

/** @returns {import('../core/secure.js').Context} */
export function securityContext() {
  return {
    secure: isSecureContext,
    present: {
      microphone: navigator.mediaDevices?.getUserMedia !== undefined,
      gamepad: navigator.getGamepads !== undefined,
      sealed: globalThis.crypto?.subtle !== undefined,
      wakelock: 'wakeLock' in navigator,
      output: 'setSinkId' in HTMLMediaElement.prototype,
      // The name is there over http too, but no browser grants the permission.
      notifications: isSecureContext && 'Notification' in window,
      webcodecs: 'VideoDecoder' in window,
    },
  };
}
