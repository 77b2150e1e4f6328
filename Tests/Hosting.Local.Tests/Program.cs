using AspireStreaming.Hosting.Local.Tests.Processes;
using Xunit.Runner.InProc.SystemConsole;

return args is [MortalHost.Command, var scenario] ? await MortalHost.RunAsync(scenario) : await ConsoleRunner.Run(args);
