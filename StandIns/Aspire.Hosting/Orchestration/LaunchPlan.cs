using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;

namespace Aspire.Hosting.Orchestration;

/// <summary>The process of an instance, and what its snapshot says about it.</summary>
internal sealed record LaunchPlan(
    ProcessSpec Process,
    ImmutableArray<EnvironmentVariableSnapshot> EnvironmentVariables,
    ImmutableArray<ResourcePropertySnapshot> Properties);
