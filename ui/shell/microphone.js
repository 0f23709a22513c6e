// @ts-check
/** Does the microphone bring sound? Asked at the start of a shift; nothing is kept or sent. */
const LISTEN_MS = 3_000;
const LOOK_EVERY_MS = 50;
/** Peak of a quiet room with a living microphone, of full scale. */
const HEARS = 0.002;

/** @returns {Promise<'ok'|'insecure'|'denied'|'silent'>} */
export async function listen() {
  if (!navigator.mediaDevices?.getUserMedia) return 'insecure';
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    console.info('microphone: not available', error instanceof Error ? error.name : error);
    return 'denied';
  }
  const context = new AudioContext();
  try {
    return (await peak(context, stream)) > HEARS ? 'ok' : 'silent';
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
  }
}

/** The loudest sample, looked for until something is heard. @param {AudioContext} context @param {MediaStream} stream */
async function peak(context, stream) {
  const look = new AnalyserNode(context, { fftSize: 2_048 });
  new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(look);
  const samples = new Float32Array(look.fftSize);
  let loudest = 0;
  for (let waited = 0; waited < LISTEN_MS && loudest <= HEARS; waited += LOOK_EVERY_MS) {
    await new Promise((done) => window.setTimeout(done, LOOK_EVERY_MS));
    look.getFloatTimeDomainData(samples);
    for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
  }
  return loudest;
}
