using System.Diagnostics;

namespace AspireStreaming.Client.Diagnostics;

/// <summary>The library's traces.</summary>
internal static class ClientDiagnostics
{
    /// <summary>Name of the activity source and of the meter.</summary>
    public const string Name = "AspireStreaming.Client";

    public const string System = "aspirestreaming";

    public static ActivitySource Source { get; } = new(Name);

    public static void Fail(this Activity? activity, Exception exception)
    {
        if (activity is not null)
        {
            activity.SetStatus(ActivityStatusCode.Error, exception.Message);
            activity.SetTag("error.type", exception is ApiException api ? api.Problem.Type ?? api.Status.ToString() : exception.GetType().FullName);
        }
    }
}
