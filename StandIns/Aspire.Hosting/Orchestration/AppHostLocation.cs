namespace Aspire.Hosting.Orchestration;

/// <param name="Directory">The folder of the AppHost's project.</param>
internal sealed record AppHostLocation(string Directory);
