namespace Aspire.Hosting.Orchestration;

internal sealed record LocalServerContext(
    int Port,
    string DataFolder,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    Action<string, bool> OnLine);
