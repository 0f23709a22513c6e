/* What the console uses of its vendored libraries. No more. */

declare module 'preact' {
  export type Drawn = unknown;
  export function h(type: unknown, props?: object | null, ...children: unknown[]): Drawn;
  export function render(what: Drawn, into: Element): void;
}

declare module 'preact/hooks' {
  export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
  export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
  export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T;
  export function useRef<T>(initial: T): { current: T };
  export function useState<T>(initial: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
}

declare module 'htm' {
  const htm: {
    bind<T>(h: (type: unknown, props?: object | null, ...children: unknown[]) => T): (strings: TemplateStringsArray, ...values: unknown[]) => T;
  };
  export default htm;
}

declare module '@preact/signals' {
  export interface ReadonlySignal<T> {
    readonly value: T;
    peek(): T;
    subscribe(fn: (value: T) => void): () => void;
  }
  export interface Signal<T> extends ReadonlySignal<T> {
    value: T;
  }
  export function signal<T>(value: T): Signal<T>;
  export function computed<T>(compute: () => T): ReadonlySignal<T>;
  export function effect(run: () => void | (() => void)): () => void;
  export function batch<T>(run: () => T): T;
  export function untracked<T>(run: () => T): T;
}

declare module 'maplibre-gl' {
  type Point = { lng: number; lat: number };
  type LngLat = readonly number[];
  export class LngLatBounds {
    contains(point: LngLat): boolean;
  }
  export class Marker {
    constructor(options: { element: HTMLElement; anchor?: string });
    setLngLat(point: LngLat): this;
    addTo(map: Map): this;
    remove(): this;
  }
  export class ScaleControl {
    constructor(options: { maxWidth: number });
  }
  export class Map {
    constructor(options: object);
    addControl(control: ScaleControl, position: string): this;
    touchZoomRotate: { disableRotation(): void };
    dragPan: { isActive(): boolean };
    on(event: string, listener: (event: any) => void): this;
    resize(): this;
    remove(): void;
    getSource(name: string): any;
    getStyle(): { layers: { id: string; type: string }[] };
    getBounds(): LngLatBounds;
    setCenter(point: LngLat): this;
    getZoom(): number;
    setZoom(zoom: number): this;
    setPaintProperty(layer: string, name: string, value: unknown): this;
    fitBounds(corners: readonly [LngLat, LngLat], options: object): this;
  }
}

declare module 'uplot' {
  export default class UPlot {
    constructor(options: object, data: readonly (readonly (number | null)[])[], host: HTMLElement);
    readonly data: readonly (readonly number[])[];
    readonly cursor: { idx?: number | null };
    setData(data: readonly (readonly (number | null)[])[], rescale?: boolean): void;
    setScale(key: string, limits: { min: number; max: number }): void;
    setSize(size: { width: number; height: number }): void;
    batch(change: () => void): void;
    destroy(): void;
  }
}
