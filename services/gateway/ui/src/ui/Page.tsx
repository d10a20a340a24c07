import { Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import classes from './Page.module.css';

/** Every page: its title (also of the tab), what can be done on it, its content. */
export function Page({
  title,
  heading,
  actions,
  children,
}: {
  title: string;
  /** Beside or in place of the plain title. */
  heading?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Runyard`;
  }, [title]);
  return (
    <div className={classes.page}>
      <header className={classes.head}>
        <div className={classes.title}>{heading ?? <Title order={1}>{title}</Title>}</div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** A white (or dark) sheet on the page. */
export function Panel({ children, className = '' }: { children: ReactNode; className?: string }) {
  return <section className={`${classes.panel} ${className}`}>{children}</section>;
}
