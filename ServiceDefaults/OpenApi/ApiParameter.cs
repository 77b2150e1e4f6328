namespace AspireStreaming.ServiceDefaults.OpenApi;

/// <summary>A parameter of an operation.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it means, with its limits and default.</param>
public sealed record ApiParameter(string Name, string Description)
{
    /// <summary>Whether it is a header; else it is in the path if that names it, or in the query.</summary>
    public bool IsHeader { get; init; }

    /// <summary>Whether it must be there; those of the path must in any case.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Whether it may be given several times.</summary>
    public bool IsRepeated { get; init; }

    /// <summary>The values that there are; empty for any.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>Whether it is a number, and from what to what.</summary>
    public (decimal Least, decimal Most)? Range { get; init; }
}
