import { Kbd, Table } from '@mantine/core';
import { shownShortcuts } from './shortcuts';

/** Those of the page as it is when the table is first shown. */
export function ShortcutsTable() {
  return (
    <Table>
      <Table.Tbody>
        {shownShortcuts().map((each) => (
          <Table.Tr key={each.key}>
            <Table.Td w={120}>
              {each.key.split(' ').map((key, index) => (
                <span key={key}>
                  {index > 0 && ' then '}
                  <Kbd>{key}</Kbd>
                </span>
              ))}
            </Table.Td>
            <Table.Td>{each.does}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
