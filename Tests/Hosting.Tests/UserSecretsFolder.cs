using System.Runtime.CompilerServices;

namespace AspireStreaming.Hosting.Tests;

internal static class UserSecretsFolder
{
    /// <summary>Keeps generated passwords out of the secrets of the user who runs the tests.</summary>
    [ModuleInitializer]
    internal static void Redirect() =>
        Environment.SetEnvironmentVariable("APPDATA", Path.Combine(AppContext.BaseDirectory, "user-secrets"));
}
