/** Mantine, in our colours: neutral surfaces and controls, so that colour is left for what has a status. */
import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from '@mantine/core';

const ink: MantineColorsTuple = [
  '#f4f5f7',
  '#e4e8ee',
  '#c9d0da',
  '#a5afbd',
  '#7c8798',
  '#5b6472',
  '#475060',
  '#333c4a',
  '#252d39',
  '#1a202c',
];
const dark: MantineColorsTuple = [
  '#e4e8ee',
  '#b6c0cd',
  '#98a3b3',
  '#5f6a79',
  '#404956',
  '#2a303a',
  '#1f252e',
  '#171b22',
  '#101318',
  '#0c0f13',
];

/** Filled controls in our own inks: Mantine chooses the colour of their text for one scheme, and uses it in both. */
const FILLED: Readonly<Record<string, string>> = { ink: '--ry-ink', red: '--ry-red' };

const variantColorResolver: VariantColorsResolver = (input) => {
  const ground = input.variant === 'filled' ? FILLED[input.color ?? 'ink'] : undefined;
  const colors = defaultVariantColorsResolver(input);
  if (ground === undefined) return colors;
  return {
    ...colors,
    background: `var(${ground})`,
    hover: `color-mix(in srgb, var(${ground}) 86%, var(--ry-panel))`,
    color: 'var(--ry-panel)',
  };
};

export const theme = createTheme({
  variantColorResolver,
  primaryColor: 'ink',
  primaryShade: { light: 8, dark: 1 },
  autoContrast: true,
  colors: { ink, dark },
  defaultRadius: 'sm',
  cursorType: 'pointer',
  focusRing: 'never', // tokens.css draws one ring for everything
  respectReducedMotion: true,
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif",
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  headings: {
    fontWeight: '600',
    sizes: { h1: { fontSize: '1.35rem' }, h2: { fontSize: '1.1rem' }, h3: { fontSize: '1rem' } },
  },
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  components: {
    Checkbox: { defaultProps: { iconColor: 'var(--ry-panel)' } },
    // what a list offers is drawn when it is opened
    Combobox: { defaultProps: { keepMounted: false } },
    Tooltip: { defaultProps: { openDelay: 300, withinPortal: true } },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm' } },
    // a name is heard only of what has a role
    Loader: { defaultProps: { role: 'status' } },
    Modal: { defaultProps: { centered: false, yOffset: '8vh', closeButtonProps: { 'aria-label': 'Close' } } },
    Drawer: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
  },
});

export const variables: CSSVariablesResolver = () => {
  const both = {
    '--mantine-color-body': 'var(--ry-panel)',
    '--mantine-color-text': 'var(--ry-ink)',
    '--mantine-color-dimmed': 'var(--ry-ink-soft)',
    '--mantine-color-default-border': 'var(--ry-line)',
    '--mantine-color-anchor': 'var(--ry-link)',
    '--mantine-color-error': 'var(--ry-red)',
    '--mantine-color-placeholder': 'var(--ry-ink-soft)',
    // light alerts and badges: in dark mode the library's own red ground is louder than what stands on it
    '--mantine-color-red-light': 'var(--ry-red-ground)',
    '--mantine-color-red-light-hover': 'var(--ry-red-ground)',
    '--mantine-color-red-light-color': 'var(--ry-red)',
  };
  return { variables: {}, light: both, dark: both };
};
