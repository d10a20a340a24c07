/** How the fields of a form stand together. */
import { ActionIcon, Button, Fieldset, Group, Input, Stack, Text } from '@mantine/core';
import type {
  ArrayFieldItemTemplateProps,
  ArrayFieldTemplateProps,
  FieldErrorProps,
  FieldTemplateProps,
  MultiSchemaFieldTemplateProps,
  ObjectFieldTemplateProps,
  TemplatesType,
} from '@rjsf/utils';
import { IconChevronDown, IconChevronUp, IconPlus, IconX } from '@tabler/icons-react';
import { OneLine, saidErrors } from './controls';
import classes from './SchemaForm.module.css';

function Field({ children, errors, hidden }: FieldTemplateProps) {
  if (hidden) return <div hidden>{children}</div>;
  return (
    <div>
      {children}
      {errors}
    </div>
  );
}

/** Inputs say their own problems; those of a whole object or list stand below it. */
function FieldError({ errors, schema, uiSchema }: FieldErrorProps) {
  const whole = (schema.type === 'object' || schema.type === 'array') && uiSchema?.['ui:field'] === undefined;
  if (!whole || !errors || errors.length === 0 || (schema.type === 'array' && uiSchema?.['ui:widget'])) return null;
  return (
    <Input.Error role="alert" mt={4}>
      {saidErrors(errors.map(String))}
    </Input.Error>
  );
}

function Members({ title, description, properties, fieldPathId }: ObjectFieldTemplateProps) {
  const members = (
    <Stack gap="sm">
      {properties.map((each) => (
        <div key={each.name}>{each.content}</div>
      ))}
    </Stack>
  );
  if (fieldPathId.path.length === 0) return members;
  return (
    <Fieldset legend={title} variant="default" className={classes.group} classNames={{ legend: classes.legend }}>
      {description && (
        <Text size="xs" c="dimmed" mb="xs">
          {description}
        </Text>
      )}
      {members}
    </Fieldset>
  );
}

function Items({ title, schema, items, canAdd, onAddClick, required, disabled, readonly }: ArrayFieldTemplateProps) {
  return (
    <Fieldset
      legend={
        <>
          {title}
          {required && (
            <span className={classes.required} aria-hidden>
              {' *'}
            </span>
          )}
        </>
      }
      className={classes.group}
      classNames={{ legend: classes.legend }}
    >
      {schema.description && (
        <Text size="xs" c="dimmed" mb="xs">
          {schema.description}
        </Text>
      )}
      <Stack gap={6}>
        {items}
        {items.length === 0 && (
          <Text size="xs" c="dimmed">
            No items
          </Text>
        )}
        {canAdd && (
          <Button
            className={classes.add}
            variant="subtle"
            size="compact-sm"
            leftSection={<IconPlus size={14} aria-hidden />}
            disabled={disabled || readonly}
            aria-label={`Add to ${title}`}
            onClick={onAddClick}
          >
            Add
          </Button>
        )}
      </Stack>
    </Fieldset>
  );
}

function Item({ children, buttonsProps, hasToolbar, index }: ArrayFieldItemTemplateProps) {
  const { hasMoveUp, hasMoveDown, hasRemove, onMoveUpItem, onMoveDownItem, onRemoveItem, disabled, readonly } =
    buttonsProps;
  const off = disabled || readonly;
  return (
    <Group gap={4} wrap="nowrap" align="flex-start">
      <div className={classes.item}>{children}</div>
      {hasToolbar && (
        <Group gap={0} wrap="nowrap" pt={3}>
          {(hasMoveUp || hasMoveDown) && (
            <>
              <ActionIcon
                className={classes.move}
                variant="subtle"
                color="gray"
                disabled={off || !hasMoveUp}
                onClick={onMoveUpItem}
                aria-label={`Move item ${index + 1} up`}
              >
                <IconChevronUp size={16} />
              </ActionIcon>
              <ActionIcon
                className={classes.move}
                variant="subtle"
                color="gray"
                disabled={off || !hasMoveDown}
                onClick={onMoveDownItem}
                aria-label={`Move item ${index + 1} down`}
              >
                <IconChevronDown size={16} />
              </ActionIcon>
            </>
          )}
          {hasRemove && (
            <ActionIcon
              variant="subtle"
              color="gray"
              disabled={off}
              onClick={onRemoveItem}
              aria-label={`Remove item ${index + 1}`}
            >
              <IconX size={16} />
            </ActionIcon>
          )}
        </Group>
      )}
    </Group>
  );
}

function Branches({ selector, optionSchemaField }: MultiSchemaFieldTemplateProps) {
  return (
    <Stack gap="sm">
      {selector}
      {optionSchemaField}
    </Stack>
  );
}

const Nothing = () => null;

export const templates: Partial<TemplatesType> = {
  FieldTemplate: Field,
  FieldErrorTemplate: FieldError,
  FieldHelpTemplate: Nothing,
  DescriptionFieldTemplate: Nothing,
  TitleFieldTemplate: Nothing,
  ErrorListTemplate: Nothing,
  ObjectFieldTemplate: Members,
  ArrayFieldTemplate: Items,
  ArrayFieldItemTemplate: Item,
  MultiSchemaFieldTemplate: Branches,
  BaseInputTemplate: OneLine,
};
