using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>The parameter <c>scope</c>: whether an answer is for all replicas or for the one that gives it.</summary>
internal static class FleetScope
{
    /// <summary>Parses it; none is <c>all</c>.</summary>
    public static bool TryParse(string? scope, out bool isLocal)
    {
        isLocal = scope == "local";
        return scope is null or "local" or "all";
    }

    /// <summary>400.</summary>
    public static ProblemHttpResult Refuse() => Problems.InvalidParameter("scope", "It is 'local' or 'all'.");
}
