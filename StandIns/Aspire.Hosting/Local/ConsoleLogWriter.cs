namespace Aspire.Hosting.Local;

internal sealed class ConsoleLogWriter
{
    /// <summary>Names known beforehand, so that the first lines are aligned and colours follow this order.</summary>
    public void Align(IEnumerable<string> resourceNames) => throw new NotImplementedException();

    public void Write(string resourceName, string line, bool isError) => throw new NotImplementedException();
}
