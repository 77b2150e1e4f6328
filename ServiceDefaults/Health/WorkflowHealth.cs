namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>Workflow runs by state, as far as this replica has seen them.</summary>
/// <param name="Total">Runs in any state.</param>
/// <param name="Running">Runs that have not ended.</param>
/// <param name="Completed">Runs ended by <c>WORKFLOW_COMPLETED</c>.</param>
/// <param name="Failed">Runs ended by <c>WORKFLOW_FAILED</c>.</param>
/// <param name="Cancelled">Runs ended by <c>WORKFLOW_CANCELLED</c>.</param>
public sealed record WorkflowHealth(long Total = 0, long Running = 0, long Completed = 0, long Failed = 0, long Cancelled = 0);
