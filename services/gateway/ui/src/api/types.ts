/** Short names of what the API answers. */
import type { components } from './schema';

type Schemas = components['schemas'];
export type ExecutionRow = Schemas['ExecutionRow'];
export type ExecutionDetail = Schemas['ExecutionDetail'];
export type ExecutionStatus = ExecutionRow['status'];
export type Trigger = ExecutionRow['trigger'];
export type WaitingRow = Schemas['WaitingRow'];
export type JobRow = Schemas['JobRow'];
export type JobStatus = JobRow['status'];
export type NodeRow = Schemas['NodeRow'];
export type NodeStatus = NodeRow['status'];
export type ApprovalRow = Schemas['ApprovalRow'];
export type ApprovalDetail = Schemas['ApprovalDetail'];
export type ApprovalStatus = ApprovalRow['status'];
export type LogEntry = Schemas['LogEntry'];
export type ExecutionGraph = Schemas['ExecutionGraph'];
export type WorkflowRow = Schemas['WorkflowRow'];
export type WorkflowDetail = Schemas['WorkflowDetail'];
export type AgentRow = Schemas['AgentRow'];
export type PoolRow = Schemas['PoolRow'];
export type ConnectionRow = Schemas['ConnectionRow'];
export type ActionTypeRow = Schemas['ActionTypeRow'];
export type SessionDetail = Schemas['SessionDetail'];
export type Permission = SessionDetail['permissions'][number];
