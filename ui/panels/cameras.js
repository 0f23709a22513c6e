// @ts-check
/** A vehicle's cameras: one large, the others beside it as far as there is room. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { arrange } from '../core/cameras.js';
import { dashed } from '../core/format.js';
import { cameraNames } from '../core/store.js';
import { html } from '../view.js';
import { cameraWords, Picture } from './picture.js';
import { ReplayInset } from './replay.js';

/** @param {{desk: import('../shell/console.js').Console, vehicle: any, large?: boolean}} props */
export function Cameras({ desk, vehicle, large = false }) {
  const { t } = desk;
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      setSize({ width: Math.round(width), height: Math.round(height) });
    });
    watch.observe(/** @type {HTMLElement} */ (ref.current));
    return () => watch.disconnect();
  }, []);
  const names = cameraNames(vehicle);
  const now = desk.media.largeOf(vehicle.id, names);
  const replay = desk.rewind.replay.value?.vehicle === vehicle.id;
  const { side, columns, thumb } = arrange(size.width, size.height, names.length - 1, replay);
  const others = thumb === null ? [] : names.filter((name) => name !== now).slice(0, 4);
  useEffect(() => desk.media.showThumbs(vehicle.id, others), [desk, vehicle.id, others.join()]);
  useEffect(() => () => desk.media.showThumbs(vehicle.id, []), [desk, vehicle.id]);
  return html`<div class="cameras" ref=${ref} data-testid=${`cameras-${dashed(vehicle.id)}`} data-large=${now}>
    <${Picture} desk=${desk} vehicle=${vehicle.id} large=${large} />
    ${side > 0 && html`<div class="cameras-side" style=${{ width: `${side}px` }}>
      ${replay && html`<${ReplayInset} desk=${desk} vehicle=${vehicle} />`}
      ${thumb !== null && html`<div class="thumbs" style=${{ gridTemplateColumns: `repeat(${columns}, ${thumb.width}px)`, gridAutoRows: `${thumb.height}px` }}>
        ${others.map((name) => html`<${Thumb} key=${name} desk=${desk} vehicle=${vehicle.id} camera=${name} />`)}</div>`}
    </div>`}
    ${others.length < names.length - 1 && html`<small class="cameras-more">${t('cameras.more', { n: names.length - 1 - others.length })}</small>`}
  </div>`;
}

/** @param {{desk: import('../shell/console.js').Console, vehicle: string, camera: string}} props */
function Thumb({ desk, vehicle, camera }) {
  const words = desk.t('cameras.enlarge', { camera: cameraWords(desk.t, camera) });
  return html`<button class="thumb" data-testid=${`thumb-${dashed(vehicle)}-${camera}`} title=${words} aria-label=${words}
      onClick=${() => desk.media.choose(vehicle, camera)}>
    <${Picture} desk=${desk} vehicle=${vehicle} camera=${camera} /></button>`;
}
